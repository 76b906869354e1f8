"""Progress of a training on a terminal and in a file."""

import io

from mlip_core.training import TrainingProgress
from tests.training.tiny import make_loop


def test_progress_is_plain_lines_without_a_terminal() -> None:
    stream = io.StringIO()
    progress = TrainingProgress(stream)
    make_loop(num_epochs=2, progress=progress).run()
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    for word in ("loss", "meV/Å", "structures/s", "left"):
        assert word in lines[0]
    assert "\x1b" not in stream.getvalue()


def test_progress_is_live_on_a_terminal() -> None:
    stream = io.StringIO()
    progress = TrainingProgress(stream, is_live=True)
    make_loop(num_epochs=2, progress=progress).run()
    assert "\x1b[" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert "structures/s" in stream.getvalue(), "it does not fit into 80 columns"
    assert stream.getvalue().endswith("\x1b[?25h"), "the cursor is not shown again"
