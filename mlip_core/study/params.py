"""A part of the config as a job gets it, and as Snakemake remembers it."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel


class ConfigParams(dict[str, Any]):
    """A config as plain values, all of them, whose ``repr`` shows those that are not the defaults.

    Snakemake makes a result again if the ``repr`` of a parameter of its rule is another one than
    when it was made. A key that a new version of this package brings must not train every model
    again, so a value that is the default is left out of what is compared.
    """

    def __init__(self, config: BaseModel, exclude: Collection[str] = ()) -> None:
        """Take the values of a config, but those that its job makes no use of."""
        left_out = set(exclude)
        super().__init__(config.model_dump(mode="json", exclude=left_out))
        compared = config.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        self._compared = repr(compared)

    def __repr__(self) -> str:
        return self._compared
