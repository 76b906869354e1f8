"""What all parts of the study file share."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

DEFAULT_SEED = 42

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "names become file names: use letters, digits, '.', '_' and '-', "
            "with a letter or digit first"
        )
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Closed(BaseModel):
    """A part of the study file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
