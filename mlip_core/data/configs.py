"""Configs of the readers and of the graph dataset builder."""

from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from mlip_core.data.frames import LabelKeys

DatasetPath = str | Path


class ChemicalSystemsReaderConfig(BaseModel):
    """Which files to read, and how much of them.

    Attributes:
        train_dataset_paths: a path or several.
        valid_dataset_paths: the same, or none.
        test_dataset_paths: the same, or none.
        train_num_to_load: read at most so many structures in all; ``None`` for all.
        valid_num_to_load: the same.
        test_num_to_load: the same.
        labels: under which keys the files have their labels.
    """

    model_config = ConfigDict(extra="forbid")

    train_dataset_paths: DatasetPath | list[DatasetPath]
    valid_dataset_paths: DatasetPath | list[DatasetPath] | None = None
    test_dataset_paths: DatasetPath | list[DatasetPath] | None = None
    train_num_to_load: PositiveInt | None = None
    valid_num_to_load: PositiveInt | None = None
    test_num_to_load: PositiveInt | None = None
    labels: LabelKeys = LabelKeys()

    @field_validator("train_dataset_paths", "valid_dataset_paths", "test_dataset_paths")
    @classmethod
    def convert_to_list(cls, value: Any) -> list[DatasetPath] | None:
        """A single path becomes a list of one."""
        return [value] if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def validate_train_dataset_paths(self) -> Self:
        """Raise ``ValueError`` if there is nothing to train on."""
        if not self.train_dataset_paths:
            raise ValueError("train_dataset_paths must name at least one file")
        return self


class GraphDatasetBuilderConfig(BaseModel):
    """How graphs and batches are made.

    Attributes:
        graph_cutoff_angstrom: two atoms nearer than this are joined by an edge each way.
        max_n_node: nodes of a batch divided by ``batch_size``; ``None``: from the data.
        max_n_edge: edges of a batch divided by twice ``batch_size`` (pairs, not directed edges, as
            in the 0.1 API); ``None``: from the data.
        batch_size: largest number of structures in a batch.
        num_batch_prefetch: how many batches the host prepares ahead.
        batch_prefetch_num_devices: how many batches stand ready on the devices.
        use_formation_energies: replace energies by energies minus atomic energies; the model's
            atomic energies should then be "zero".
        avg_num_neighbors: instead of the dataset's own.
        avg_r_min_angstrom: instead of the dataset's own.
    """

    model_config = ConfigDict(extra="forbid")

    graph_cutoff_angstrom: PositiveFloat = 5.0
    max_n_node: PositiveInt | None = None
    max_n_edge: PositiveInt | None = None
    batch_size: PositiveInt = 16
    num_batch_prefetch: PositiveInt = 1
    batch_prefetch_num_devices: PositiveInt = 1
    use_formation_energies: bool = False
    avg_num_neighbors: float | None = Field(default=None, ge=0)
    avg_r_min_angstrom: float | None = Field(default=None, gt=0)
