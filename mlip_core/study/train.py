"""One run of a study: from the shards to the trained model."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import jax
import optax
import yaml

from mlip_core.data.dataset_info import DatasetInfo, read_dataset_info
from mlip_core.data.shards import load_graph_dataset
from mlip_core.models import ForceField
from mlip_core.models.loss import HuberLoss, MSELoss, WeightedEFSLoss
from mlip_core.models.model_io import save_model_to_zip
from mlip_core.models.registry import network_class
from mlip_core.study import provenance
from mlip_core.study.lock import exclusive
from mlip_core.study.run_config import LossConfig, RunConfig, Weight
from mlip_core.training import (
    TrainingIOHandler,
    TrainingLoop,
    get_default_mlip_optimizer,
    log_metrics_to_line,
)
from mlip_core.training.progress import TrainingProgress
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest, json_digest, write_json, write_text
from mlip_core.utils.seeds import derive_seed


@dataclass(frozen=True)
class TrainingInputs:
    """The prepared dataset of a run.

    Attributes:
        dataset_info: path of ``dataset_info.json``.
        train: path of the training set's manifest.
        valid: path of the validation set's manifest.
    """

    dataset_info: str
    train: str
    valid: str

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return self.dataset_info, self.train, self.valid


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
        inputs: the dataset.
        outputs: where to write.
        terminal: where a person watches, if anywhere; else progress goes to standard error.

    Raises:
        UserError: if another process trains this run, or the training cannot be done.
    """
    started = provenance.now()
    with exclusive(outputs.checkpoints / "lock", f"training of {outputs.model}"):
        loop = _resumable_loop(run, inputs, outputs, terminal)
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
                **provenance.collect(inputs.paths),
            },
        )


def fingerprint(run: RunConfig, paths: Iterable[str | os.PathLike[str]]) -> str:
    """Name of all trainings that are one and the same but for their number of epochs.

    It depends on the content of the inputs, not on where they lie or what the dataset is called.
    """
    content = {
        "run": run.model_dump(mode="json", exclude={"dataset": True, "training": {"num_epochs"}}),
        "inputs": [file_digest(path) for path in paths],
    }
    return json_digest(content)[:16]


def make_loss(config: LossConfig) -> WeightedEFSLoss:
    """The loss with its weights as functions of the epoch."""
    loss = {"mse": MSELoss, "huber": HuberLoss}[config.name]
    weights = (config.energy_weight, config.forces_weight, config.stress_weight)
    return loss(*map(_schedule, weights))


def _schedule(weight: Weight) -> optax.Schedule:
    if not isinstance(weight, dict):
        return optax.constant_schedule(weight)
    epochs = sorted(weight)
    constants = [optax.constant_schedule(weight[epoch]) for epoch in epochs]
    return optax.join_schedules(constants, epochs[1:])


def _resumable_loop(
    run: RunConfig,
    inputs: TrainingInputs,
    outputs: TrainingOutputs,
    terminal: TextIO | None,
) -> TrainingLoop:
    """The training where it was left.

    One that was left after more epochs than are asked for keeps its checkpoints; the shorter
    training starts anew beside it.
    """
    num_epochs = run.training.num_epochs
    name = fingerprint(run, inputs.paths)
    for directory in (name, f"{name}-{num_epochs}-epochs"):
        loop = _make_loop(run, inputs, outputs, outputs.checkpoints / directory, terminal)
        rows = loop.history.metrics
        if not rows or rows[-1]["epoch"] <= num_epochs:
            return loop
    raise UserError(f"{outputs.checkpoints}: checkpoints do not fit the run; remove the directory")


def _make_loop(
    run: RunConfig,
    inputs: TrainingInputs,
    outputs: TrainingOutputs,
    directory: Path,
    terminal: TextIO | None,
) -> TrainingLoop:
    assert run.seed is not None, "seeds are filled in by StudyConfig.run_config"
    seed = run.seed
    info = read_dataset_info(inputs.dataset_info)
    io_handler = TrainingIOHandler(
        TrainingIOHandler.Config(
            local_model_output_dir=directory,
            ema_decay=run.training.ema_decay,
            resume=True,
            metrics_csv=outputs.metrics,
            timing_csv=outputs.timing,
        )
    )
    if terminal is not None:
        io_handler.attach_logger(log_metrics_to_line)
    return TrainingLoop(
        train_dataset=_dataset(inputs.train, info, run, derive_seed(seed, "order of the data")),
        validation_dataset=_dataset(inputs.valid, info, run),
        force_field=_initial_force_field(run, info, derive_seed(seed, "initial parameters")),
        loss=make_loss(run.loss),
        optimizer=get_default_mlip_optimizer(run.optimizer),
        config=TrainingLoop.Config(**run.training.model_dump()),
        io_handler=io_handler,
        should_parallelize=len(jax.devices()) > 1,
        progress=TrainingProgress(terminal),
    )


def _dataset(manifest: str, info: DatasetInfo, run: RunConfig, seed: int | None = None) -> Any:
    return load_graph_dataset(
        manifest, info, run.batch_size, should_shuffle=seed is not None, seed=seed or 0
    )


def _initial_force_field(run: RunConfig, info: DatasetInfo, seed: int) -> ForceField:
    network = network_class(run.model.architecture)(run.model.network, info)
    return ForceField.from_mlip_network(network, predict_stress=run.predict_stress, seed=seed)
