"""Progress of a training that a person can watch."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from mlip_core.training.log_category import LogCategory
from mlip_core.training.training_loggers import convert_mse_to_rmse_in_logs

REFRESH_SECONDS = 0.2
"""How often the live display may change; what comes faster costs time and nobody sees it."""

_FORMATS: dict[tuple[LogCategory, str], Callable[[float], str]] = {
    (LogCategory.TRAIN_METRICS, "loss"): lambda value: f"loss {value:.4g}",
    (LogCategory.EVAL_METRICS, "loss"): lambda value: f"validation {value:.4g}",
    (LogCategory.EVAL_METRICS, "rmse_e"): lambda value: f"E {1000 * value:.1f} meV",
    (LogCategory.EVAL_METRICS, "rmse_f"): lambda value: f"F {1000 * value:.1f} meV/Å",
    (LogCategory.SYSTEM_METRICS, "graphs_per_second"): lambda value: f"{value:.0f} structures/s",
}


class TrainingProgress:
    """Shows epoch, loss, errors, speed and time left: live on a terminal, else a line per epoch.

    The training loop calls it; errors are those of the validation set (RMSE).
    """

    def __init__(self, stream: TextIO | None = None, is_live: bool | None = None) -> None:
        """Choose where to show it.

        Args:
            stream: where; standard error if ``None``.
            is_live: whether to show a live display; if ``None``, where ``stream`` is a terminal.
        """
        self._stream = stream or sys.stderr
        self._is_live = self._stream.isatty() if is_live is None else is_live
        self._display: _LiveDisplay | None = None
        self._values: dict[tuple[LogCategory, str], float] = {}
        self._num_epochs = 0
        self._steps_per_epoch: int | None = None
        self._first_epoch = 0
        self._start = self._last_refresh = 0.0

    def start(self, num_epochs: int, steps_per_epoch: int | None, epoch: int) -> None:
        """Begin a training of ``num_epochs``, of which ``epoch`` are done."""
        self._num_epochs, self._steps_per_epoch = num_epochs, steps_per_epoch
        self._first_epoch, self._start = epoch, time.monotonic()
        if self._is_live:
            self._display = _LiveDisplay(self._stream, num_epochs, epoch)

    def step(self, epoch: int, step: int) -> None:
        """Tell that ``step`` steps of the epoch are under way; costs next to nothing."""
        if self._display is None or time.monotonic() - self._last_refresh < REFRESH_SECONDS:
            return
        self._last_refresh = time.monotonic()
        share = min(step / self._steps_per_epoch, 1.0) if self._steps_per_epoch else 0.0
        self._display.show(epoch - 1 + share, self._summary())

    def log(self, category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        """Take in metrics; a logger as ``TrainingIOHandler`` calls them."""
        del epoch_number  # shown by step and end_epoch
        for name, value in convert_mse_to_rmse_in_logs(to_log).items():
            self._values[category, name] = value

    def end_epoch(self, epoch: int) -> None:
        """Show the end of an epoch."""
        if self._display is not None:
            self._display.show(epoch, self._summary())
            return
        left = _clock(self._seconds_left(epoch))
        line = f"epoch {epoch}/{self._num_epochs}  {self._summary()}  {left} left\n"
        self._stream.write(line)
        self._stream.flush()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        if self._display is not None:
            self._display.stop()
            self._display = None

    def _seconds_left(self, epoch: int) -> float:
        done = max(epoch - self._first_epoch, 1)
        return (time.monotonic() - self._start) / done * (self._num_epochs - epoch)

    def _summary(self) -> str:
        return "  ".join(
            form(self._values[key]) for key, form in _FORMATS.items() if key in self._values
        )


class _LiveDisplay:
    """A bar with the number of epochs and the time left, and a line of text under it."""

    def __init__(self, stream: TextIO, num_epochs: int, epoch: int) -> None:
        self._bar = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            auto_refresh=False,
        )
        self._task = self._bar.add_task("training", total=num_epochs, completed=epoch)
        console = Console(file=stream, force_terminal=True)
        self._live = Live(self._bar, console=console, auto_refresh=False)
        self._live.start()

    def show(self, epochs_done: float, summary: str) -> None:
        self._bar.update(self._task, completed=epochs_done)
        self._live.update(Group(self._bar, Text(summary)), refresh=True)

    def stop(self) -> None:
        self._live.stop()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
