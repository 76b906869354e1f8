"""Settings of a committee's calibration and of the choice of structures by it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from mlip_core.physics.config import CheckConfig


class CalibrationConfig(CheckConfig):
    """How the spread of a committee is compared with its errors.

    One factor for forces and one for energies is chosen on the validation set by maximum
    likelihood; the test set then tells how well the scaled spread stands for the errors.
    """

    n_bins: PositiveInt = Field(
        default=10,
        description="Bins of equally many values, from the smallest spread to the largest, in each "
        "of which the spread is compared with the error.",
    )


class SelectionConfig(BaseModel):
    """Which structures of a pool are chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Literal["spread", "random"] = Field(
        default="spread",
        description="`spread`: the most different of those about whose forces the committee agrees "
        "least; `random`: any, to compare with.",
    )
    per_round: PositiveInt = Field(default=50, description="Structures chosen in each round.")
    candidates_per_choice: PositiveInt = Field(
        default=5,
        description="Candidates, which have the largest spread of the pool, for each structure "
        "that is chosen: 1 leaves nothing to choose by difference.",
    )
    max_spread_ev_per_angstrom: PositiveFloat | None = Field(
        default=None,
        description="Structures on whose forces the committee agrees less than this are left out, "
        "eV/Å: they may be no physical ones.",
    )
