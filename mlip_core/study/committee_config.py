"""Committees of runs, and datasets that grow by what a committee is unsure of."""

from typing import Any, Self

from pydantic import Field, PositiveInt, model_validator

from mlip_core.committee.config import CalibrationConfig, SelectionConfig
from mlip_core.reference.config import CalculatorConfig
from mlip_core.study.config_base import Closed
from mlip_core.study.remote_file import SourceFile


class CommitteeConfig(Closed):
    """Runs on one dataset that are asked together: the mean of their models, and its spread."""

    runs: list[str] = Field(
        min_length=2, description="Names of the runs, which differ in their seed, for example."
    )
    calibration: CalibrationConfig = Field(
        default=CalibrationConfig(), description="How the spread is compared with the errors."
    )


class PoolConfig(Closed):
    """Structures without labels; exactly one of the two."""

    files: list[SourceFile] | None = Field(
        default=None,
        min_length=1,
        description="Files of structures in Å, given as in `datasets.<name>.source`; labels do not "
        "matter.",
    )
    dataset: str | None = Field(
        default=None,
        description="Name of a dataset, all of whose structures are the pool, less what its check "
        "drops.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.files is None) == (self.dataset is None):
            raise ValueError("exactly one of `files` and `dataset` must be given")
        return self


class ActiveLearningConfig(Closed):
    """Rounds of training a committee, choosing structures by it, labelling and adding them.

    Round 0 is the dataset as it is. The dataset of round k is called `<name>-r<k>`; its runs, one
    for each member of the committee, `<name>-r<k>-1` and so on. They are datasets and runs like all
    others. Validation and test split stay those of round 0, and each member its seed, which members
    of the same number have in all active learnings of a study.
    """

    dataset: str = Field(description="Name of the dataset to begin with.")
    pool: PoolConfig = Field(description="Structures to choose from.")
    run: dict[str, Any] = Field(
        default={}, description="What all runs have in common, as in `runs.<name>`, less `dataset`."
    )
    committee: PositiveInt = Field(
        default=4, description="Runs of each round; 1 suffices for a random choice."
    )
    rounds: PositiveInt = Field(default=3, description="How often structures are chosen.")
    select: SelectionConfig = Field(
        default=SelectionConfig(), description="How many are chosen, and how."
    )
    label: CalculatorConfig | None = Field(
        default=None,
        description="The calculator that labels them; by default that of the dataset's "
        "`source.reference`.",
    )

    @model_validator(mode="after")
    def _committee_has_a_spread(self) -> Self:
        if self.select.strategy == "spread" and self.committee < 2:
            raise ValueError("committee: the spread needs at least 2 runs")
        return self
