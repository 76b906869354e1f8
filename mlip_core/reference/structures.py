"""Start structures: molecules that ASE knows by name, or files."""

from difflib import get_close_matches
from pathlib import Path

from ase import Atoms

from mlip_core.data.frames import read_frames
from mlip_core.utils.errors import UserError


def is_molecule_name(name: str) -> bool:
    """Whether ``ase.build.molecule`` knows a structure of that name."""
    return name in _molecule_names()


def check_structure(name_or_path: str) -> None:
    """Raise a ``UserError`` unless there is such a molecule or such a file."""
    if is_molecule_name(name_or_path) or Path(name_or_path).is_file():
        return
    close = get_close_matches(name_or_path, _molecule_names(), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UserError(
        f"structure {name_or_path!r}: neither a file nor a molecule that ase.build.molecule "
        f"knows{hint} (formulas such as CH3CH2OH, H2O or C6H6; or give a file)"
    )


def load_structure(name_or_path: str) -> Atoms:
    """The molecule of that name, or the first frame of that file.

    Raises:
        UserError: if there is no such thing or the file cannot be read.
    """
    check_structure(name_or_path)
    if is_molecule_name(name_or_path):
        from ase.build import molecule

        return molecule(name_or_path)
    return read_structures(name_or_path)[0]


def read_structures(path: str) -> list[Atoms]:
    """All frames of a file; labels that they have do not matter.

    Raises:
        UserError: if it is missing, cannot be read or has no frame.
    """
    return [frame.atoms for frame in read_frames(path, require=())]


def _molecule_names() -> list[str]:
    # Imported here: most of ASE and SciPy comes with it, which no study of files needs.
    from ase.build.molecule import extra
    from ase.collections import g2

    return [*g2.names, *extra]
