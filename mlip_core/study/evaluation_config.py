"""What is evaluated on what: splits and test sets, and other models beside those of the study."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from mlip_core.data.frames import LabelKeys
from mlip_core.reference.config import CalculatorConfig
from mlip_core.study.config_base import Closed
from mlip_core.study.remote_file import SourceFile


class EvaluationConfig(Closed):
    """Predictions, errors and their confidence intervals."""

    splits: list[Literal["train", "valid", "test"]] = Field(
        default=["test"],
        description="Splits of its dataset that each model is evaluated on, beside all `testsets`.",
    )
    batch_size: PositiveInt = Field(
        default=32, description="Structures of average size that are predicted at once."
    )
    bootstrap_resamples: NonNegativeInt = Field(
        default=1000,
        description="How often the structures of a test set are drawn anew, with replacement, for "
        "the confidence intervals of its errors; 0 for no intervals.",
    )


class TestsetConfig(Closed):
    """Labelled structures that no model of the study was trained on."""

    __test__ = False  # no class of tests, whatever pytest makes of its name

    files: list[SourceFile] = Field(
        min_length=1,
        description="Files with structures and labels, given as in `datasets.<name>.source`.",
    )
    labels: LabelKeys = Field(
        default=LabelKeys(), description="Under which keys the files have their labels."
    )
    require: list[Literal["energy", "forces", "stress"]] = Field(
        default=["energy", "forces"],
        description="Labels that every frame must have, unless `labels.missing` is `mask`.",
    )


class BaselineConfig(Closed):
    """A model that was not trained here, in the same tables; `calculator` or `model`."""

    calculator: CalculatorConfig | None = Field(default=None, description="Any ASE calculator.")
    model: str | None = Field(
        default=None, description="Path of a model zip, of this library or of mlip 0.1."
    )
    dataset: str | None = Field(
        default=None,
        description="The dataset whose splits it is evaluated on, and whose atomic energies are "
        "subtracted from energies; needed only if the study has several.",
    )
    energy_shift: Literal["fit"] | None = Field(
        default=None,
        description="`fit` if it counts energies from another zero, as another method does: a "
        "constant for each element is added to its energies, fitted to the training set by least "
        "squares. The report says so.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.calculator is None) == (self.model is None):
            raise ValueError("exactly one of `calculator` and `model` must be given")
        return self
