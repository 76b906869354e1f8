"""JSON files that say what they are and of which version."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mlip_core.utils.errors import UserError


@dataclass(frozen=True)
class JsonFormat:
    """A kind of file.

    Attributes:
        name: the value of its key ``format``.
        version: the value of its key ``version`` that this program reads.
        description: what to call it in a message.
        remedy: what to do about one that cannot be read.
        content: the other keys that this program reads.
    """

    name: str
    version: int
    description: str
    remedy: str
    content: type[BaseModel]

    @property
    def header(self) -> dict[str, Any]:
        """The first keys of a file of this kind."""
        return {"format": self.name, "version": self.version}

    def read(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """The content of a file of this kind.

        Raises:
            UserError: if it is missing, something else, or of another version.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            value = json.loads(text)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; {self.remedy}") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: not a {self.description} ({error}); {self.remedy}") from None
        if not isinstance(value, dict) or value.get("format") != self.name:
            raise UserError(f"{path}: not a {self.description}; {self.remedy}")
        if value.get("version") != self.version:
            raise UserError(
                f"{path}: {self.description} of version {value.get('version')}, "
                f"this program reads {self.version}; {self.remedy}"
            )
        try:
            self.content.model_validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise UserError(
                f"{path}: not a {self.description} ({key}: {first['msg']}); {self.remedy}"
            ) from None
        return value
