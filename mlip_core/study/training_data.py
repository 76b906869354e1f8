"""What a run is trained on."""

from dataclasses import dataclass

import numpy as np

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.helpers import GraphDataset
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.data.shards.loading import load_graph_dataset, load_graph_store
from mlip_core.study.finetune_config import ReplayConfig
from mlip_core.study.run_config import RunConfig
from mlip_core.utils.errors import UserError


@dataclass(frozen=True)
class TrainingInputs:
    """The files that a run is made from.

    Attributes:
        dataset_info: path of ``dataset_info.json``.
        train: path of the training set's manifest.
        valid: path of the validation set's manifest.
        start: path of the zip of the model to start from, if any.
        replay: path of the manifest of the training set of an earlier dataset, if any.
    """

    dataset_info: str
    train: str
    valid: str
    start: str | None = None
    replay: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        paths = self.dataset_info, self.train, self.valid, self.start, self.replay
        return tuple(path for path in paths if path is not None)


def training_set(
    inputs: TrainingInputs, info: DatasetInfo, run: RunConfig, seed: int | None
) -> GraphDataset:
    """The structures that a run is trained on, replayed ones of an earlier dataset included.

    Args:
        inputs: where they are.
        info: elements, cutoff and atomic energies of the model.
        run: what of them is asked for, and how many make a batch.
        seed: of the order of epochs; ``None`` for the order of the files.

    Raises:
        UserError: if there are fewer structures than asked for.
    """
    if inputs.replay is None:
        return _subset(_load(inputs.train, info, run, seed), run.train_size)
    assert run.finetune.replay is not None, "inputs.replay is the dataset of run.finetune.replay"
    new = load_graph_store(inputs.train, info)
    old = load_graph_store(inputs.replay, info)
    if new.labels != old.labels:
        raise UserError(
            f"finetune.replay: {run.finetune.replay.dataset} has the labels"
            f" {', '.join(old.labels)}, {run.dataset} {', '.join(new.labels)}; set check.require of"
            " both alike"
        )
    n_new = _checked_size(run.train_size, len(new))
    return GraphDataset(
        _first(new, n_new).join(_replayed(old, n_new, run.finetune.replay)),
        run.batch_size,
        should_shuffle=seed is not None,
        seed=seed or 0,
        atomic_energies=info.atomic_energies,
    )


def validation_set(inputs: TrainingInputs, info: DatasetInfo, run: RunConfig) -> GraphDataset:
    """The structures that a run is judged by."""
    return _load(inputs.valid, info, run, None)


def _load(manifest: str, info: DatasetInfo, run: RunConfig, seed: int | None) -> GraphDataset:
    return load_graph_dataset(
        manifest, info, run.batch_size, should_shuffle=seed is not None, seed=seed or 0
    )


def _subset(dataset: GraphDataset, size: int | None) -> GraphDataset:
    return dataset if size is None else dataset.subset(_checked_size(size, dataset.num_graphs))


def _checked_size(size: int | None, available: int) -> int:
    if size is not None and size > available:
        raise UserError(
            f"train_size: {size} asked for, but the training split has {available};"
            " ask for fewer, or give the split more"
        )
    return available if size is None else size


def _replayed(old: GraphStore, n_new: int, config: ReplayConfig) -> GraphStore:
    """The first of the earlier training split, which is a random sample of it in any length."""
    wanted = round(n_new * config.share / (1 - config.share))
    if wanted > len(old):
        raise UserError(
            f"finetune.replay: a share of {config.share} beside {n_new} structures is {wanted}, but"
            f" the training split of {config.dataset} has {len(old)}; lower the share"
        )
    return _first(old, wanted)


def _first(store: GraphStore, size: int) -> GraphStore:
    return store.take(np.arange(size))
