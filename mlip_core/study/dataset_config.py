"""The datasets of a study file: where structures come from and how they are prepared."""

from collections.abc import Collection
from typing import Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from mlip_core.data.frames import QUANTITIES, LabelKeys
from mlip_core.data.helpers.atomic_energies import parse_atomic_energies
from mlip_core.data.quality import QualityConfig
from mlip_core.data.splits import SPLITS, SplitConfig
from mlip_core.reference.config import ReferenceConfig
from mlip_core.study.config_base import Closed
from mlip_core.study.problems import nearest
from mlip_core.study.remote_file import SourceFile, is_stored_elsewhere, local_paths, name_of
from mlip_core.utils.errors import UserError


class SourceConfig(Closed):
    """Where a dataset's structures come from; exactly one of the two."""

    files: list[SourceFile] | None = Field(
        default=None,
        min_length=1,
        description="Files with structures and labels, in any format that ASE reads, e.g. extxyz; "
        "paths relative to the directory Snakemake runs in, or `{url: …, sha256: …}` for a file "
        "that is downloaded, or what a storage plugin of Snakemake takes, e.g. `s3://…`.",
    )
    reference: ReferenceConfig | None = Field(
        default=None, description="Make the data here, by an ASE calculator."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.files is None) == (self.reference is None):
            raise ValueError("exactly one of `files` and `reference` must be given")
        return self


class GraphConfig(Closed):
    """How structures become graphs."""

    graph_cutoff_angstrom: PositiveFloat = Field(
        default=5.0, description="Two atoms nearer than this are joined by an edge each way, Å."
    )
    avg_num_neighbors: NonNegativeFloat | None = Field(
        default=None, description="Instead of the mean number of neighbours of the training set."
    )
    avg_r_min_angstrom: PositiveFloat | None = Field(
        default=None,
        description="Instead of the training set's mean over structures of the smallest distance "
        "of two atoms, Å.",
    )
    energy_scale: Literal["none", "force_rms"] | PositiveFloat = Field(
        default="none",
        description="Factor on the energy of each atom as the network gives it: a number, or the "
        "root mean square of the training set's forces, with which a network's own scale is 1.",
    )


class SplitKeys(SplitConfig):
    """Which frames are for training, validation and test.

    Frames of one free atom are never in any of them.
    """

    seed: int = Field(default=0, description="By default derived from the dataset's seed.")


class DatasetConfig(Closed):
    """One set of structures and its preparation."""

    source: SourceConfig = Field(description="Where the structures come from.")
    labels: LabelKeys = Field(
        default=LabelKeys(), description="Under which keys the files have their labels."
    )
    check: QualityConfig = Field(
        default=QualityConfig(), description="What the check of the data looks at."
    )
    split: SplitKeys = Field(description="Which frames are for training, validation, test.")
    graph: GraphConfig = Field(default=GraphConfig(), description="How structures become graphs.")
    atomic_energies: Literal["isolated_atoms", "least_squares"] | dict[str, float] = Field(
        default="least_squares",
        description="Energies of free atoms, eV, which are subtracted before anything is learned: "
        "from the source's frames of one atom, from a least-squares fit to the training set, or "
        "given by element symbol, e.g. `{H: -10.7, O: -102.6}`.",
    )
    shard_jobs: PositiveInt = Field(
        default=1,
        description="Jobs over which the making of a split's graphs is scattered; the result does "
        "not depend on it.",
    )
    structures_per_shard: PositiveInt = Field(
        default=4096,
        description="Structures in a file of graphs. A job has no more than that in memory.",
    )
    seed: NonNegativeInt | None = Field(
        default=None, description="Instead of the one derived from the study's seed."
    )
    description: str | None = Field(
        default=None, description="What the data are, in words, for the report and the model cards."
    )
    level_of_theory: str | None = Field(
        default=None, description="How the labels were computed, e.g. `PBE-D3(BJ)/def2-TZVP`."
    )
    licence: str | None = Field(
        default=None, description="Licence of the data, best as its SPDX identifier: `CC-BY-4.0`."
    )

    @property
    def origin(self) -> dict[str, str]:
        """What is said of where the data come from; nothing is made from it but pages."""
        said = self.model_dump(include={"description", "level_of_theory", "licence"})
        return {key: value for key, value in said.items() if value is not None}

    def requiring(self, labels: Collection[str]) -> Self:
        """The same dataset, in which every frame must have these labels too."""
        required = [name for name in QUANTITIES if name in labels or name in self.check.require]
        check = self.check.model_copy(update={"require": tuple(required)})
        return self.model_copy(update={"check": check})

    @model_validator(mode="after")
    def _split_files_are_source_files(self) -> Self:
        known = [name_of(file) for file in self.source.files or []]
        for name, files in self.split.files.items():
            for file in files:
                if file not in known:
                    raise ValueError(
                        f"split.{name}.files: {file!r} is not among source.files"
                        f"{nearest(file, known)} (they are: {', '.join(known) or 'none'})"
                    )
                if is_stored_elsewhere(file) and file in (self.source.files or []):
                    raise ValueError(
                        f"split.{name}.files: {file!r} is got by a storage plugin, which puts it in"
                        " a place of its own; give it as `{url: …, sha256: …}`, or copy it here"
                    )
        return self

    @model_validator(mode="after")
    def _split_files_leave_some(self) -> Self:
        """Numbers and fractions are of what no split names by file."""
        if self.source.files is None or len(self._files_to_share) > 0:
            return self
        for name in SPLITS:
            share = getattr(self.split, name)
            if share and name not in self.split.files:
                raise ValueError(
                    f"split.{name}: {share}, but other splits name all of source.files; give it one"
                    " of them too, or set it to 0"
                )
        return self

    @model_validator(mode="after")
    def _groups_suffice(self) -> Self:
        shared = [name for name in SPLITS if name not in self.split.files]
        wanted = [name for name in shared if getattr(self.split, name)]
        if self.split.group_by == "file" and len(self._files_to_share) < len(wanted):
            raise ValueError(
                f"split.group_by: 'file' needs a file for each of {', '.join(wanted)}, there are"
                f" {len(self._files_to_share)} to share; give more, or group by something else"
            )
        return self

    @model_validator(mode="after")
    def _labels_are_those_of_the_source(self) -> Self:
        if self.source.reference and self.labels != LabelKeys(missing=self.labels.missing):
            raise ValueError(
                "labels: source.reference makes files with the default keys, in eV and Å; leave"
                " out all but `missing`"
            )
        return self

    @property
    def _files_to_share(self) -> list[str]:
        """The files whose frames are divided, since no split names them."""
        named = [file for files in self.split.files.values() for file in files]
        files = [name_of(file) for file in self.source.files or ["reference"]]
        return [file for file in files if file not in named]

    @property
    def number_of_frames(self) -> int | None:
        """How many frames there are to be split, if the config says it: those of dynamics."""
        reference = self.source.reference
        if reference is None or reference.dynamics is None:
            return None
        dynamics = reference.dynamics
        trajectories = len(dynamics.temperatures_kelvin) * dynamics.trajectories_per_temperature
        return trajectories * dynamics.frames_per_trajectory

    @property
    def local_split_files(self) -> dict[str, dict[str, list[str]]]:
        """The splits that are given by files, with the files where they lie."""
        files = self.source.files or []
        paths = dict(zip(map(name_of, files), local_paths(files), strict=True))
        given = self.split.files.items()
        return {name: {"files": [paths[file] for file in names]} for name, names in given}

    @field_validator("atomic_energies")
    @classmethod
    def _known_elements(cls, energies: str | dict[str, float]) -> str | dict[str, float]:
        table = {} if isinstance(energies, str) else energies
        try:
            parse_atomic_energies(dict(table.items()))
        except UserError as error:
            raise ValueError(str(error).removeprefix("atomic energies: ")) from None
        return energies
