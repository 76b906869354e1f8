"""Which frames each split is to get."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from mlip_core.data.findings import Action

SPLITS = ("train", "valid", "test")

ROUNDING = 1e-9
"""By how much sums and products of fractions may be off."""


def _one_complaint(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """One message for a value that is none of several kinds."""
    try:
        return validate(value)
    except ValidationError:
        raise ValueError(
            f"{value!r} should be a number of frames, a fraction between 0 and 1, or"
            " {files: [...]} with files of the dataset"
        ) from None


Files = Annotated[
    dict[Literal["files"], Annotated[list[str], Field(min_length=1)]], Field(min_length=1)
]
Share = Annotated[
    Annotated[StrictInt, Field(ge=0)] | Annotated[StrictFloat, Field(ge=0, le=1)] | Files,
    WrapValidator(_one_complaint),
]


class SplitConfig(BaseModel):
    """Which frames each split gets.

    Attributes:
        train: number of frames if an integer; fraction if a float in (0, 1], of all frames that no
            split names by file; or `{files: [a.xyz, b.xyz]}` for all frames of some files.
        valid: the same; 0 for none.
        test: the same; 0 for none.
        group_by: frames that have this in common go into one split: `composition`, `file`, or the
            name of a property of the frames such as `config_type`. A split then gets at most what
            is asked for; only training gets more, if all frames are to be used.
        leakage: what to do if a structure stands in two splits, by files or by groups: `error`,
            `warn`, `drop` (keep it in the test set, else in the validation set) or `ignore`.
        unseen_elements: what to do if validation or test frames have an element that no training
            frame has; `drop` leaves them out.
        seed: decides which frames.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Share = 0.8
    valid: Share = 0.1
    test: Share = 0.1
    group_by: str | None = None
    leakage: Action = "warn"
    unseen_elements: Action = "error"
    seed: int = 0

    @model_validator(mode="after")
    def _each_file_once(self) -> Self:
        files = [file for given in self.files.values() for file in given]
        for file in files:
            if files.count(file) > 1:
                raise ValueError(f"{file} is named twice; a file belongs to one split")
        return self

    @model_validator(mode="after")
    def _fractions_are_of_one(self) -> Self:
        shares = {name: getattr(self, name) for name in SPLITS}
        fractions = {name: share for name, share in shares.items() if isinstance(share, float)}
        if math.fsum(fractions.values()) > 1 + ROUNDING:
            given = ", ".join(f"{name}: {share}" for name, share in fractions.items())
            raise ValueError(f"the fractions ({given}) exceed 1; give fractions that add up to 1")
        return self

    @property
    def group_key(self) -> str | None:
        """The property of the frames to group by, if it is one."""
        return None if self.group_by in ("composition", "file") else self.group_by

    @property
    def files(self) -> dict[str, list[str]]:
        """The files of the splits that are given by files."""
        shares = {name: getattr(self, name) for name in SPLITS}
        return {name: share["files"] for name, share in shares.items() if isinstance(share, dict)}
