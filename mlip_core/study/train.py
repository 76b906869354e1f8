"""One run of a study: from the shards to the trained model."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import jax
import optax
import yaml

from mlip_core.data.dataset_info import read_dataset_info
from mlip_core.models.loss import HuberLoss, MSELoss, WeightedEFSLoss
from mlip_core.models.model_io import save_model_to_zip
from mlip_core.study import provenance
from mlip_core.study.checksums import digests
from mlip_core.study.finetune import Start, make_start
from mlip_core.study.lock import exclusive
from mlip_core.study.run_config import LossConfig, RunConfig, Weight
from mlip_core.study.training_data import TrainingInputs, training_set, validation_set
from mlip_core.training import (
    TrainingIOHandler,
    TrainingLoop,
    get_default_mlip_optimizer,
    has_tensorboard,
    log_metrics_to_json_lines,
    log_metrics_to_line,
    log_metrics_to_tensorboard,
)
from mlip_core.training.course import NOT_OF_THE_COURSE, OtherCourseError
from mlip_core.training.progress import TrainingProgress
from mlip_core.utils.files import file_digest, json_digest, write_json, write_text
from mlip_core.utils.seeds import derive_seed
from mlip_core.utils.stopping import stop_on_signals


@dataclass(frozen=True)
class TrainingOutputs:
    """What a run leaves behind.

    Attributes:
        model: zip of the best model.
        config: the run as it was trained, with all defaults.
        metrics: table of metrics, one row for each epoch.
        timing: table of times, one row for each epoch.
        provenance: what made the model.
    """

    model: str
    config: str
    metrics: str
    timing: str
    provenance: str

    @property
    def checkpoints(self) -> Path:
        """Directory of the checkpoints, which outlives a failure."""
        return Path(self.config).parent / "checkpoints"


def train_run(
    run: RunConfig,
    inputs: TrainingInputs,
    outputs: TrainingOutputs,
    terminal: TextIO | None = None,
) -> None:
    """Train a run, or go on with it from its last checkpoint.

    Args:
        run: what to train, with its seed; initial parameters and order of the data derive theirs.
        inputs: the dataset, and the model to start from, if any.
        outputs: where to write.
        terminal: where a person watches, if anywhere; else progress goes to standard error.

    Raises:
        UserError: if another process trains this run, or the training cannot be done.
        StoppedError: if SIGTERM or SIGINT has come; calling it again goes on.
    """
    started = provenance.now()
    lock = exclusive(outputs.checkpoints / "lock", f"training of {outputs.model}")
    with lock, stop_on_signals() as should_stop:
        info = read_dataset_info(inputs.dataset_info)
        start = make_start(run, inputs, info, derive_seed(_seed(run), "initial parameters"))
        loop = _resumable_loop(run, start, inputs, outputs, terminal, should_stop)
        loop.run()
        save_model_to_zip(outputs.model, loop.best_model)
        resolved = run.model_dump(mode="json")
        write_text(outputs.config, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
        write_json(
            outputs.provenance,
            {
                "started": started,
                "finished": provenance.now(),
                "config": resolved,
                "devices": [str(device) for device in jax.devices()],
                "best_epoch": loop.best_epoch,
                "start": start.describe(),
                **provenance.collect(digests(inputs.paths)),
            },
        )


def fingerprint(run: RunConfig, paths: Iterable[str | os.PathLike[str]]) -> str:
    """Name of all trainings that are one and the same but for their number of epochs.

    It depends on the content of the inputs, not on where they lie or what datasets are called.
    """
    course = run.model_dump(
        mode="json",
        exclude={
            "dataset": True,
            "init_from": True,
            "finetune": {"replay": {"dataset"}},
            "training": set(NOT_OF_THE_COURSE),
        },
    )
    content = {
        "run": course,
        "inputs": [file_digest(path) for path in paths],
    }
    return json_digest(content)[:16]


def make_loss(config: LossConfig) -> WeightedEFSLoss:
    """The loss with its weights as functions of the epoch."""
    energy, forces = _schedule(config.energy_weight), _schedule(config.forces_weight)
    stress = _schedule(config.stress_weight)
    if config.name == "mse":
        return MSELoss(energy, forces, stress, config.extended_metrics)
    return HuberLoss(
        energy,
        forces,
        stress,
        config.extended_metrics,
        energy_delta=config.huber_energy_delta,
        forces_delta=config.huber_forces_delta,
        stress_delta=config.huber_stress_delta,
    )


def _schedule(weight: Weight) -> optax.Schedule:
    if not isinstance(weight, dict):
        return optax.constant_schedule(weight)
    epochs = sorted(weight)
    constants = [optax.constant_schedule(weight[epoch]) for epoch in epochs]
    return optax.join_schedules(constants, epochs[1:])


def _seed(run: RunConfig) -> int:
    assert run.seed is not None, "seeds are filled in by StudyConfig.run_config"
    return run.seed


def _resumable_loop(
    run: RunConfig,
    start: Start,
    inputs: TrainingInputs,
    outputs: TrainingOutputs,
    terminal: TextIO | None,
    should_stop: Callable[[], bool],
) -> TrainingLoop:
    """The training where it was left.

    One that was left too late for the number of epochs or the patience that is asked for keeps its
    checkpoints; the shorter training starts anew beside it.
    """
    name = fingerprint(run, inputs.paths)
    end = run.training.model_dump(mode="json", include=NOT_OF_THE_COURSE)
    beside = f"{name}-ends-{json_digest(end)[:8]}"
    try:
        return _make_loop(run, start, inputs, outputs, name, terminal, should_stop)
    except OtherCourseError:
        return _make_loop(run, start, inputs, outputs, beside, terminal, should_stop)


def _make_loop(
    run: RunConfig,
    start: Start,
    inputs: TrainingInputs,
    outputs: TrainingOutputs,
    name: str,
    terminal: TextIO | None,
    should_stop: Callable[[], bool],
) -> TrainingLoop:
    directory = outputs.checkpoints / name
    info = start.force_field.dataset_info
    io_handler = TrainingIOHandler(
        TrainingIOHandler.Config(
            local_model_output_dir=directory,
            ema_decay=run.training.ema_decay,
            resume=True,
            metrics_csv=outputs.metrics,
            timing_csv=outputs.timing,
        )
    )
    io_handler.attach_logger(log_metrics_to_json_lines(directory / "metrics.jsonl"))
    if has_tensorboard():
        io_handler.attach_logger(log_metrics_to_tensorboard(directory / "tensorboard"))
    if terminal is not None:
        io_handler.attach_logger(log_metrics_to_line)
    return TrainingLoop(
        train_dataset=training_set(inputs, info, run, derive_seed(_seed(run), "order of the data")),
        validation_dataset=validation_set(inputs, info, run),
        force_field=start.force_field,
        loss=make_loss(run.loss),
        optimizer=start.masked(get_default_mlip_optimizer(run.optimizer)),
        config=TrainingLoop.Config(**run.training.model_dump()),
        io_handler=io_handler,
        should_parallelize=len(jax.devices()) > 1,
        progress=TrainingProgress(terminal),
        should_stop=should_stop,
    )
