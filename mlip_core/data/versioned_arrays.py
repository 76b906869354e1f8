"""Files of arrays (safetensors) that say what they are and of which version."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlip_core.utils.errors import UserError, as_system_error
from mlip_core.utils.files import atomic_path

_METADATA_KEY = "mlip_core"  # the only one: safetensors writes several in random order


@dataclass(frozen=True)
class ArraysFormat:
    """A kind of file.

    Attributes:
        name: ``format`` in the file's header.
        version: ``version`` in the header that this program reads.
        description: what to call it in a message.
        remedy: what to do about one that cannot be read.
    """

    name: str
    version: int
    description: str
    remedy: str

    def write(
        self,
        path: str | os.PathLike[str],
        header: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
    ) -> None:
        """Write arrays under a header of JSON values: the same content, the same bytes."""
        text = json.dumps({"format": self.name, "version": self.version, **header})
        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        with atomic_path(path) as temporary:
            try:
                save_file(contiguous, temporary, {_METADATA_KEY: text})
            except SafetensorError as error:
                raise as_system_error(error, path) from error

    def read(self, path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays of a file of this kind.

        Raises:
            UserError: if it is missing, damaged, something else, or of another version.
        """
        try:
            with safe_open(path, framework="np") as file:
                header = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
                names = file.keys()
                arrays = {name: file.get_tensor(name) for name in names}
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; {self.remedy}") from None
        except (SafetensorError, ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: not a readable {self.description} ({error}); {self.remedy}"
            ) from None
        if not isinstance(header, dict) or header.get("format") != self.name:
            raise UserError(f"{path}: not a {self.description}; {self.remedy}")
        if header.get("version") != self.version:
            raise UserError(
                f"{path}: {self.description} of version {header.get('version')}, "
                f"this program reads {self.version}; {self.remedy}"
            )
        return header, arrays
