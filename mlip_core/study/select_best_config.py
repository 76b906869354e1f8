"""Which run becomes the best model."""

from pydantic import Field

from mlip_core.study.config_base import Closed


class SelectBestConfig(Closed):
    """Which run becomes `models/best.zip`."""

    metric: str = Field(
        default="loss",
        description="Metric on the validation set, smaller is better: `mae_f`, `rmse_e_per_atom`… "
        "or `loss`, if all runs have the same: recipes of architectures differ in their weights.",
    )
    gates: bool = Field(
        default=True,
        description="Whether a run that failed a check of `physics` cannot be the best one.",
    )
