"""Broken and odd input files: each gives one exact line, or just works."""

import bz2
import gzip
import lzma
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mlip_core.data.frames import BadFrame, LabelKeys, iterate_frames, read_frames, scan_frames
from mlip_core.utils.errors import UserError

HEADER = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="F F F"\n'
ATOMS = "H 0.0 0.0 0.0 0.0 0.0 0.1\nH 0.0 0.0 0.7 0.0 0.0 -0.1\n"
H2 = "2\n" + HEADER + ATOMS
NOT_TEXT = b"\xff\xfe\x00\x81" * 20
LATTICE = 'Lattice="3.0 0.0 0.0 0.0 3.0 0.0 0.0 0.0 3.0" '
CRYSTAL = H2.replace('pbc="F F F"', LATTICE + 'pbc="T T T" sigma="1 0 0 0 1 0 0 0 1"')
LABELS = LabelKeys(stress_key="sigma")


NOT_FINITE = "is not finite (NaN or infinite); remove the frame or compute it again"
NO_FORCES = (
    'no forces under key "forces"; the keys there are energy; set forces_key to the right one, or'
    " remove frames without forces"
)
GRAMMAR = "must be a list of name:kind:number of columns, with the kinds R, I, L and S"
NO_CELL = (
    "is periodic but its cell vectors are zero or not independent; give a Lattice, or say"
    ' pbc="F F F" if it is a molecule'
)
AGAIN = "the file is incomplete or damaged: copy or make it again"
CORRECT = "correct the line, or the number of atoms of the frame before it"


def columns(line: str) -> str:
    """The frame with another first atom."""
    return H2.replace("H 0.0 0.0 0.0 0.0 0.0 0.1", line)


def energy(value: str) -> str:
    return H2.replace("energy=-1.5", f"energy={value}")


def crystal(lattice: str = LATTICE, pbc: str = '"T T T"') -> str:
    return CRYSTAL.replace(LATTICE, lattice).replace('"T T T"', pbc)


def sigma(value: str) -> str:
    return CRYSTAL.replace("1 0 0 0 1 0 0 0 1", value)


def hdf5(change: Callable[[h5py.Group], Any]) -> Callable[[Path], None]:
    """A file of one good group after a change."""

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            group = file.create_group("s0")
            group["positions"] = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.7]])
            group["elements"] = np.array([1, 1])
            group["forces"] = np.array([[0.0, 0.0, 0.1], [0.0, 0.0, -0.1]])
            group.attrs["energy"] = -1.5
            change(group)

    return write


def replaced(name: str, value: Any) -> Callable[[Path], None]:
    def change(group: h5py.Group) -> None:
        if name in group:
            del group[name]
        if value is not None:
            group[name] = value

    return hdf5(change)


def with_attribute(name: str, value: Any) -> Callable[[Path], None]:
    return hdf5(lambda group: group.attrs.__setitem__(name, value))


def cut_hdf5(path: Path) -> None:
    hdf5(lambda group: None)(path)
    path.write_bytes(path.read_bytes()[:900])


Content = str | bytes | Callable[[Path], Any]

# name of the file, content, and the message without the path before it
FRAMES: dict[str, tuple[str, Content, str]] = {
    # what a frame says of its atoms
    "truncated in the atoms": (
        "a.xyz",
        H2 + "2\n" + HEADER + "H 0 0 0 0 0 0\n",
        ": frame 1: the file ends after 1 of its 2 atoms; remove the frame",
    ),
    "truncated in a line": (
        "a.xyz",
        H2 + H2[:-8],
        ": frame 1: line 8 has 6 columns where 7 are needed",
    ),
    "truncated after the number of atoms": (
        "a.xyz",
        H2 + "2\n",
        ": frame 1: the file ends after the number of atoms; remove the frame",
    ),
    "a column too few": (
        "a.xyz",
        columns("H 0.0 0.0 0.0 0.0 0.0"),
        ": frame 0: line 3 has 6 columns where 7 are needed",
    ),
    "a column too many": (
        "a.xyz",
        columns("H 0.0 0.0 0.0 0.0 0.0 0.1 0.2"),
        ": frame 0: line 3 has 8 columns where 7 are needed",
    ),
    "columns too many and too few by turns": (
        "a.xyz",
        "2\n" + HEADER + "H 0 0 0 0 0 0 0\nH 0 0 0.7 0 0\n",
        ": frame 0: line 3 has 8 columns where 7 are needed",
    ),
    "fewer atoms than said": (
        "a.xyz",
        H2.replace("2\n", "3\n", 1) + H2,
        ": frame 0: has 2 atoms where its first line says 3",
    ),
    "far more atoms said than there are": (
        "a.xyz",
        H2.replace("2\n", "900000000000\n", 1) + H2,
        ": frame 0: has 2 atoms where its first line says 900000000000",
    ),
    "far more atoms said at the end": (
        "a.xyz",
        H2.replace("2\n", "900000000000\n", 1),
        ": frame 0: the file ends after 2 of its 900000000000 atoms; remove the frame",
    ),
    "blank line among the atoms": (
        "a.xyz",
        H2.replace(" 0.1\n", " 0.1\n\n"),
        ": frame 0: line 4 has 0 columns where 7 are needed",
    ),
    "no atoms": ("a.xyz", "0\n" + HEADER, ": frame 0: has no atoms; remove the frame"),
    "unknown element": (
        "a.xyz",
        columns("Qq 0 0 0 0 0 0"),
        ": frame 0: line 3: 'Qq' is not an element",
    ),
    "dummy element": (
        "a.xyz",
        columns("X 0 0 0 0 0 0"),
        ": frame 0: has an atom of unknown element; correct its symbol",
    ),
    "element number as symbol": (
        "a.xyz",
        columns("6 0 0 0 0 0 0"),
        ": frame 0: line 3: '6' is not an element",
    ),
    "atomic number out of range": (
        "a.xyz",
        "1\nProperties=Z:I:1:pos:R:3:forces:R:3 energy=1\n200 0 0 0 0 0 0\n",
        ": frame 0: has an atom of unknown element; correct its symbol",
    ),
    "position is NaN": (
        "a.xyz",
        columns("H nan 0 0 0 0 0"),
        ": frame 0: a position is not finite (NaN or infinite); remove the frame",
    ),
    "position is a row of stars": (
        "a.xyz",
        columns("H ******** 0 0 0 0 0"),
        ": frame 0: line 3: '********' in pos is not a number",
    ),
    "comma in a number": (
        "a.xyz",
        columns("H 0,0 0.0 0.0 0.0 0.0 0.1"),
        ": frame 0: line 3: '0,0' in pos is not a number",
    ),
    "commas in aligned numbers": (
        "a.xyz",
        "2\n" + HEADER + 2 * "H 0,0,0 0 0 0,0,0 0 0\n",
        ": frame 0: line 3: '0,0,0' in pos is not a number",
    ),
    "atomic number with a fraction": (
        "a.xyz",
        "1\nProperties=Z:I:1:pos:R:3:forces:R:3 energy=1\n1.5 0 0 0 0 0 0\n",
        ": frame 0: line 3: Z is not an integer",
    ),
    "force is infinite": (
        "a.xyz",
        columns("H 0 0 0 0 0 inf"),
        ': frame 0: forces under key "forces" ' + NOT_FINITE,
    ),
    "forces are words": (
        "a.xyz",
        columns("H 0 0 0 up up up"),
        ": frame 0: line 3: 'up' in forces is not a number",
    ),
    "forces are strings": (
        "a.xyz",
        H2.replace("forces:R", "forces:S"),
        ': frame 0: forces under key "forces" holds something else than numbers',
    ),
    "two forces per atom": (
        "a.xyz",
        "1\nProperties=species:S:1:pos:R:3:forces:R:2 energy=1\nH 0 0 0 0 0\n",
        ': frame 0: forces under key "forces" has shape (1, 2) where shape (1, 3) is needed',
    ),
    # the comment line
    "Properties missing": (
        "a.xyz",
        H2.replace("Properties=species:S:1:pos:R:3:forces:R:3 ", ""),
        ": frame 0: " + NO_FORCES,
    ),
    "Properties without positions": (
        "a.xyz",
        "1\nProperties=species:S:1:x:R:3 energy=1\nH 0 0 0\n",
        ": frame 0: Properties=species:S:1:x:R:3 needs positions, as pos:R:3",
    ),
    "Properties without elements": (
        "a.xyz",
        "1\nProperties=pos:R:3 energy=1\n0 0 0\n",
        ": frame 0: Properties=pos:R:3 needs elements, as species:S:1 or Z:I:1",
    ),
    "Properties of unknown kind": (
        "a.xyz",
        "1\nProperties=species:S:1:pos:Q:3 energy=1\nH 0 0 0\n",
        ": frame 0: Properties=species:S:1:pos:Q:3 " + GRAMMAR,
    ),
    "Properties cut short": (
        "a.xyz",
        "1\nProperties=species:S:1:pos:R energy=1\nH 0 0 0\n",
        ": frame 0: Properties=species:S:1:pos:R " + GRAMMAR,
    ),
    "Properties name something twice": (
        "a.xyz",
        "1\nProperties=species:S:1:pos:R:3:pos:R:3 energy=1\nH 0 0 0 1 1 1\n",
        ": frame 0: Properties=species:S:1:pos:R:3:pos:R:3 names pos twice",
    ),
    "a key twice": (
        "a.xyz",
        energy("-1.5 energy=-2.5"),
        (
            ": frame 0: key \"energy\" has two values in the comment line, '-1.5' and '-2.5';"
            " remove one"
        ),
    ),
    "comment not UTF-8": (
        "a.xyz",
        H2.replace("energy", "Å energy").encode("latin-1"),
        (
            ": frame 0: the comment line is not UTF-8 text:"
            " 'Properties=species:S:1:pos:R:3:forces:R:'; convert the file, e.g. with iconv"
        ),
    ),
    "_JSON that is none": (
        "a.xyz",
        energy('-1.5 data="_JSON [1, 2"'),
        ": frame 0: the comment line has a _JSON value that is not JSON: '[1, 2'",
    ),
    # labels
    "energy missing": (
        "a.xyz",
        H2.replace("energy", "E"),
        (
            ': frame 0: no energy under key "energy"; the keys there are E, forces; set energy_key'
            " to the right one, or remove frames without energy"
        ),
    ),
    "forces missing in one frame": (
        "a.xyz",
        H2 + "2\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\nH 0 0 1\n",
        ": frame 1: " + NO_FORCES,
    ),
    "energy is infinite": (
        "a.xyz",
        energy("-inf"),
        ': frame 0: energy under key "energy" ' + NOT_FINITE,
    ),
    "energy is NaN": (
        "a.xyz",
        energy("NaN"),
        ': frame 0: energy under key "energy" ' + NOT_FINITE,
    ),
    "energy is a word": (
        "a.xyz",
        energy("low"),
        ": frame 0: energy under key \"energy\" is not a number: 'low'",
    ),
    "energy is a truth": (
        "a.xyz",
        energy("T"),
        ': frame 0: energy under key "energy" is not a number: True',
    ),
    "energy is a flag": (
        "a.xyz",
        H2.replace("energy=-1.5", "energy"),
        ': frame 0: energy under key "energy" is not a number: True',
    ),
    "energy is an array": (
        "a.xyz",
        energy('"1 2"'),
        ': frame 0: energy under key "energy" has shape (2,) where one number is needed',
    ),
    "stress of five numbers": (
        "a.xyz",
        sigma("1 2 3 4 5"),
        (
            ': frame 0: stress under key "sigma" has shape (5,) where shape (3, 3), 9 numbers or 6'
            " in Voigt's order is needed"
        ),
    ),
    "stress not symmetric": (
        "a.xyz",
        sigma("1 2 3 4 5 6 7 8 9"),
        ': frame 0: stress under key "sigma" is not symmetric; check what the key holds',
    ),
    "stress is NaN": (
        "a.xyz",
        sigma("nan 0 0 0 1 0 0 0 1"),
        ': frame 0: stress under key "sigma" ' + NOT_FINITE,
    ),
    # the cell
    "cell missing": (
        "a.xyz",
        crystal(lattice=""),
        ": frame 0: " + NO_CELL,
    ),
    "flat cell": (
        "a.xyz",
        crystal('Lattice="3 0 0 0 3 0 3 3 0" '),
        ": frame 0: " + NO_CELL,
    ),
    "slab whose periodic vectors are parallel": (
        "a.xyz",
        crystal('Lattice="3 0 0 6 0 0 0 0 3" ', '"T T F"'),
        ": frame 0: " + NO_CELL,
    ),
    "cell is NaN": (
        "a.xyz",
        crystal('Lattice="nan 0 0 0 3 0 0 0 3" '),
        ": frame 0: the cell is not finite (NaN or infinite); remove the frame",
    ),
    "cell of eight numbers": (
        "a.xyz",
        crystal('Lattice="3 0 0 0 3 0 0 0" '),
        ": frame 0: Lattice must be 9 numbers, not '3 0 0 0 3 0 0 0'",
    ),
    "cell without its closing quote": (
        "a.xyz",
        H2.replace("energy", 'Lattice="3 0 0 0 3 0 0 0 3 energy'),
        ": frame 0: Lattice must be 9 numbers, not '3 0 0 0 3 0 0 0 3 energy=-1.5 pbc=F'",
    ),
    "pbc of two": (
        "a.xyz",
        crystal(pbc='"T T"'),
        ": frame 0: pbc must be three of T and F, e.g. \"T T F\", not 'True True'",
    ),
    "pbc of words": (
        "a.xyz",
        crystal(pbc='"xy"'),
        ": frame 0: pbc must be three of T and F, e.g. \"T T F\", not 'xy'",
    ),
    "virial of a molecule": (
        "virial.xyz",
        H2.replace("energy", 'sigma="1 0 0 0 1 0 0 0 1" energy'),
        (
            ': frame 0: virial under key "sigma", but the frame is not periodic in all directions'
            " and so has no volume to divide it by; remove the virial"
        ),
    ),
    # groups of HDF5 files
    "HDF5 without positions": (
        "a.h5",
        replaced("positions", None),
        ": frame 0: group s0: no dataset positions; there are elements, forces",
    ),
    "HDF5 without elements": (
        "a.h5",
        replaced("elements", None),
        ": frame 0: group s0: no dataset elements; there are forces, positions",
    ),
    "HDF5 without forces": (
        "a.h5",
        replaced("forces", None),
        ": frame 0: " + NO_FORCES,
    ),
    "HDF5 with forces of another shape": (
        "a.h5",
        replaced("forces", np.zeros((3, 3))),
        ': frame 0: forces under key "forces" has shape (3, 3) where shape (2, 3) is needed',
    ),
    "HDF5 with positions of another shape": (
        "a.h5",
        replaced("positions", np.zeros((2, 2))),
        ": frame 0: group s0: dataset positions has shape (2, 2) where (n_atoms, 3) is needed",
    ),
    "HDF5 with elements of two dimensions": (
        "a.h5",
        replaced("elements", np.ones((2, 1), dtype=int)),
        ": frame 0: group s0: dataset elements has shape (2, 1) where (2,) is needed",
    ),
    "HDF5 with elements as words": (
        "a.h5",
        replaced("elements", "H H"),
        ": frame 0: group s0: dataset elements has the unusable type object",
    ),
    "HDF5 with a cell of another shape": (
        "a.h5",
        replaced("cell", np.ones(3)),
        ": frame 0: group s0: dataset cell has shape (3,) where (3, 3) is needed",
    ),
    "HDF5 with an energy that is a word": (
        "a.h5",
        with_attribute("energy", "low"),
        ": frame 0: energy under key \"energy\" is not a number: 'low'",
    ),
    "HDF5 with positions that are NaN": (
        "a.h5",
        replaced("positions", np.full((2, 3), np.nan)),
        ": frame 0: a position is not finite (NaN or infinite); remove the frame",
    ),
    "HDF5 with a dataset among the groups": (
        "a.h5",
        hdf5(lambda group: group.file.create_dataset("a", data=3)),
        ": frame 0: group a: is not a group; each structure must be a group of datasets",
    ),
    "HDF5 with a dangling link": (
        "a.h5",
        hdf5(lambda group: group.file.__setitem__("a", h5py.SoftLink("/nowhere"))),
        (
            ": frame 0: group a: cannot be read (Unable to synchronously open object (component not"
            " found))"
        ),
    ),
}

FILES: dict[str, tuple[str, Content, str]] = {
    "empty": ("a.xyz", "", ": the file is empty; it must hold at least one structure"),
    "blank lines only": ("a.xyz", "\n \n", ": no structure found; it must hold at least one"),
    "directory": ("a.xyz", Path.mkdir, ": is a directory; name the file of structures in it"),
    "missing": ("a.xyz", lambda path: None, ": no such file; check the path in the config"),
    "dangling link": (
        "a.xyz",
        lambda path: path.symlink_to("nowhere"),
        ": no such file; check the path in the config",
    ),
    "prose": (
        "a.xyz",
        "hello\nworld\n",
        ": line 1: a frame must begin with its number of atoms, not with 'hello'; " + CORRECT,
    ),
    "more atoms than said": (
        "a.xyz",
        H2.replace("2\n", "1\n", 1),
        (
            ": line 4: a frame must begin with its number of atoms, not with"
            " 'H 0.0 0.0 0.7 0.0 0.0 -0.1'; correct the line, or the number of atoms of the frame"
            " before it"
        ),
    ),
    "negative number of atoms": (
        "a.xyz",
        H2.replace("2\n", "-2\n", 1),
        ": line 1: a frame must begin with its number of atoms, not with '-2'; " + CORRECT,
    ),
    "number of atoms is not an integer": (
        "a.xyz",
        H2.replace("2\n", "2.0\n", 1),
        ": line 1: a frame must begin with its number of atoms, not with '2.0'; " + CORRECT,
    ),
    "not text": (
        "a.xyz",
        NOT_TEXT,
        (
            ": line 1: a frame must begin with its number of atoms, not with"
            f" {str(NOT_TEXT[:40])[1:]}; correct the line, or the number of atoms of the frame"
            " before it"
        ),
    ),
    "UTF-16": (
        "a.xyz",
        H2.encode("utf-16"),
        (
            ": line 1: a frame must begin with its number of atoms, not with"
            r" '\xff\xfe2\x00'; correct the line, or the number of atoms of the frame before it"
        ),
    ),
    "a line without end": (
        "a.xyz",
        lambda path: (path.touch(), os.truncate(path, 20 << 20)),
        ": line 1: does not end within 16 MiB; this is no XYZ file: check the path in the config",
    ),
    "gzip cut short": (
        "a.xyz.gz",
        gzip.compress(H2.encode())[:-12],
        (
            ": cannot be read beyond line 0 (Compressed file ended before the end-of-stream marker"
            " was reached); the file is incomplete or damaged: copy or make it again"
        ),
    ),
    "gzip that is none": (
        "a.xyz.gz",
        H2,
        ": cannot be read beyond line 0 (Not a gzipped file (b'2\\n')); " + AGAIN,
    ),
    "xz that is none": (
        "a.xyz.xz",
        H2,
        ": cannot be read beyond line 0 (Input format not supported by decoder); " + AGAIN,
    ),
    "unknown format": (
        "notes.foo",
        "bla",
        ": not a format that ASE reads; convert it, e.g. to extended XYZ (.xyz)",
    ),
    "damaged trajectory": (
        "a.traj",
        b"- of Ulm" + bytes(60),
        ": frame 0 cannot be read (This is not a trajectory file!); correct or remove the frame",
    ),
    "HDF5 that is none": (
        "a.h5",
        "no",
        (
            ": not a readable HDF5 file (Unable to synchronously open file (file signature not"
            " found)); copy or make it again"
        ),
    ),
    "HDF5 cut short": (
        "a.h5",
        cut_hdf5,
        (
            ": not a readable HDF5 file (Unable to synchronously open file (truncated file: eof ="
            " 900, sblock->base_addr = 0, stored_eof = 5112)); copy or make it again"
        ),
    ),
    "HDF5 without groups": (
        "a.h5",
        lambda path: h5py.File(path, "w").close(),
        ": no structure found; it must hold at least one",
    ),
}

# All of them hold the frame ``H2``, and some a second time.
GOOD: dict[str, tuple[str, Content]] = {
    "clean": ("a.xyz", H2),
    "no line end at the end": ("a.xyz", H2.rstrip("\n")),
    "Windows line ends": ("a.xyz", H2.replace("\n", "\r\n")),
    "byte order mark": ("a.xyz", b"\xef\xbb\xbf" + H2.encode()),
    "blank lines before, between and after": ("a.xyz", "\n" + H2 + " \n\n" + H2 + "\n\n"),
    "tabs and many spaces": ("a.xyz", H2.replace(" ", " \t  ").replace("2\n", "  2  \n", 1)),
    "gzip": ("a.xyz.gz", gzip.compress(H2.encode())),
    "gzip of two members": ("a.xyz.gz", gzip.compress(H2.encode()) * 2),
    "bzip2": ("a.extxyz.bz2", bz2.compress(H2.encode())),
    "xz": ("a.xyz.xz", lzma.compress(H2.encode())),
    "capital suffix": ("A.XYZ", H2),
    "name that ASE would take apart": ("with@1:2.xyz", H2),
    "Fortran's exponents": (
        "a.xyz",
        H2.replace("0.7", "7.0d-01").replace("-0.1", "-1.D-1").replace("-1.5", "-0.15D+01"),
    ),
    "numbers of all forms": ("a.xyz", H2.replace("0.7", "+.7").replace("-0.1", "-1e-1")),
    "element in capitals": ("a.xyz", H2.replace("H 0", "h 0")),
    "columns in another order": (
        "a.xyz",
        (
            "2\nProperties=forces:R:3:id:I:1:pos:R:3:tag:S:1:species:S:1 energy=-1.5\n"
            "0 0 0.1 1 0 0 0 a H\n0 0 -0.1 2 0 0 0.7 b H\n"
        ),
    ),
    "atomic numbers": (
        "a.xyz",
        "2\nProperties=Z:I:1:pos:R:3:forces:R:3 energy=-1.5\n1 0 0 0 0 0 0.1\n1 0 0 0.7 0 0 -0.1\n",
    ),
    "numbers before the element": (
        "a.xyz",
        (
            "2\nProperties=pos:R:3:forces:R:3:species:S:1 energy=-1.5\n"
            "0 0 0.0 0 0 +0.1 H\n0 0 0.7 0 0 -0.1 H\n"
        ),
    ),
    "forces before positions": (
        "a.xyz",
        (
            "2\nProperties=species:S:1:forces:R:3:q:R:1:pos:R:3 energy=-1.5\n"
            "H  0 0  0.1 7 0 0 0.0\nH  0 0 -0.1 8 0 0 0.7\n"
        ),
    ),
    "a key twice with the same value": ("a.xyz", energy("-1.5 energy=-1.5")),
    "spaces around equals signs": ("a.xyz", H2.replace("=-1.5", " = -1.5")),
    "single quotes, braces and brackets": (
        "a.xyz",
        H2.replace('"F F F"', "'F F F'").replace("energy", "a={1 2} b=[3, 4] c=don\\'t energy"),
    ),
    "cell of a molecule": ("a.xyz", H2.replace("energy", LATTICE + "energy")),
    "HDF5": ("a.h5", hdf5(lambda group: None)),
    "HDF5 with another suffix": ("a.hdf5", hdf5(lambda group: None)),
    "HDF5 with the energy as a dataset": (
        "a.h5",
        hdf5(lambda group: (group.attrs.clear(), group.__setitem__("energy", -1.5))),
    ),
}


def written(directory: Path, name: str, content: Content) -> Path:
    path = directory / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def exactly(path: Path, message: str) -> str:
    return f"^{re.escape(str(path) + message)}$"


@pytest.mark.parametrize("case", FRAMES)
def test_bad_frames(tmp_path: Path, case: str) -> None:
    """A bad frame is an error of one line, or stands among the others when they are scanned."""
    name, content, message = FRAMES[case]
    path = written(tmp_path, name, content)
    labels = LABELS.model_copy(update={"stress_unit": "eV"}) if "virial" in name else LABELS
    with pytest.raises(UserError, match=exactly(path, message)):
        read_frames(path, labels)
    bad = [frame for frame in scan_frames(path, labels) if isinstance(frame, BadFrame)]
    assert [frame.message for frame in bad] == [str(path) + message]
    assert f"frame {bad[0].index}:" in message


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_read(tmp_path: Path, case: str) -> None:
    name, content, message = FILES[case]
    path = written(tmp_path, name, content)
    with pytest.raises(UserError, match=exactly(path, message)):
        list(scan_frames(path, LABELS))


@pytest.mark.parametrize("case", GOOD)
def test_odd_files_that_just_work(tmp_path: Path, case: str) -> None:
    for frame in read_frames(written(tmp_path, *GOOD[case])):
        assert frame.numbers.tolist() == [1, 1]
        assert frame.positions.tolist() == [[0, 0, 0], [0, 0, 0.7]]
        assert frame.forces.tolist() == [[0, 0, 0.1], [0, 0, -0.1]]
        assert frame.energy == -1.5
        assert frame.stress is None
        assert frame.pbc.tolist() == [False] * 3
        assert frame.cell.tolist() == [[0, 0, 0]] * 3


def test_there_are_sixty() -> None:
    assert len(FRAMES) + len(FILES) >= 60


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = written(tmp_path, "a.xyz", H2)
    path.chmod(0)
    with pytest.raises(UserError, match=f"{path}: no permission to read the file"):
        read_frames(path)


def test_file_that_disappears_after_it_was_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.xyz", H2)
    frames = iterate_frames(path)
    path.unlink()
    with pytest.raises(UserError, match="no such file; check the path in the config"):
        next(frames)


def test_left_handed_and_partly_periodic_cells_are_good(tmp_path: Path) -> None:
    lattice = 'Lattice="0 3 0 3 0 0 0 0 3" '
    for pbc in ('"T T T"', '"T F F"', '"F T T"', '"1 0 1"', "T"):
        (frame,) = read_frames(written(tmp_path, "a.xyz", crystal(lattice, pbc)), LABELS)
        assert frame.cell.tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 3]]


def test_scan_goes_on_after_every_bad_frame(tmp_path: Path) -> None:
    """All broken frames that can be read past, with good ones between."""
    cases = {
        name: content
        for name, (file, content, message) in FRAMES.items()
        if file == "a.xyz" and isinstance(content, str) and "file ends" not in message
    }
    text = "".join(content.rstrip("\n") + "\n" + H2 for content in cases.values())
    frames = list(scan_frames(written(tmp_path, "a.xyz", text), LABELS))
    bad = [frame for frame in frames if isinstance(frame, BadFrame)]
    assert len(bad) == len(cases)
    good = [frame for frame in frames if not isinstance(frame, BadFrame)]
    assert len(good) >= len(cases)
    assert {frame.energy for frame in good} == {-1.5}
