"""Files of structures made by chance: each gives frames, or one line of complaint."""

import gzip
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from hypothesis import strategies as st

from mlip_core.data.frames import Frame, LabelKeys, scan_frames
from tests.data.structures import copper, ethanol, labelled, water
from tests.fuzzing import EDITS, edited, number_of_cases, read_or_complain, run

QUICK, COSTLY = number_of_cases(200, 5_000), number_of_cases(60, 1_500)

WORDS = st.one_of(
    st.sampled_from(
        [
            *(
                '"',
                "'",
                "{",
                "[",
                "=",
                "==",
                "\\",
                "\0",
                "\n",
                "\r",
                "_JSON",
                "é",
                "T",
                "F",
                "None",
            ),
            *("0", "-1", "1e999", "nan", "inf", "-0", "1_0", "0x1", "99999999999", "9" * 400),
            *("Properties=pos:R:3", "species:S:1:pos:R:99999999", "Lattice=", 'pbc="T T T T"'),
            *("energy=[[1,2],[3]]", "stress=1", 'virial="1 2 3"', "H", "X", "Xx", "forces=1"),
        ]
    ),
    st.text(max_size=6),
    st.floats().map(repr),
)
SWAPS = st.lists(st.tuples(st.floats(0, 1), WORDS), min_size=1, max_size=4)


def structures() -> list[ase.Atoms]:
    return [labelled(ethanol(0)), labelled(copper(0), stress=True), labelled(water(0))]


@pytest.fixture(scope="module")
def extxyz() -> bytes:
    text = StringIO()
    ase.io.write(text, structures(), format="extxyz")
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def hdf5() -> bytes:
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        for number, atoms in enumerate(structures()):
            group = file.create_group(str(number))
            group["positions"], group["elements"] = atoms.positions, atoms.numbers
            group["forces"], group.attrs["energy"] = (
                atoms.get_forces(),
                atoms.get_potential_energy(),
            )
            if atoms.pbc.any():
                group["cell"], group["pbc"] = atoms.cell.array, atoms.pbc
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, bytes], None]:
    def try_to_read(name: str, content: bytes) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        frames = read_or_complain(lambda path: list(scan_frames(path, LabelKeys())), path)
        for frame in frames or ():
            if isinstance(frame, Frame):
                assert len(frame) > 0
                assert np.isfinite(frame.positions).all()
            else:
                assert frame.message.startswith(f"{path}: frame {frame.index}")
                assert frame.message.isprintable()

    return try_to_read


@QUICK
def test_bytes_of_extxyz(extxyz: bytes, read: Callable, cases: int) -> None:
    run(EDITS, lambda edits: read("a.xyz", edited(extxyz, edits)), cases)


@QUICK
def test_words_of_extxyz(extxyz: bytes, read: Callable, cases: int) -> None:
    words = extxyz.decode().replace("\n", " \n ").split(" ")

    def check(swaps: list[tuple[float, str]]) -> None:
        changed = list(words)
        for share, word in swaps:
            changed[int(share * (len(words) - 1))] = word
        read("a.xyz", " ".join(changed).encode(errors="surrogatepass"))

    run(
        SWAPS.filter(lambda swaps: all(c < "\ud800" or c > "\udfff" for _, w in swaps for c in w)),
        check,
        cases,
    )


@QUICK
def test_bytes_of_compressed_extxyz(extxyz: bytes, read: Callable, cases: int) -> None:
    packed = gzip.compress(extxyz, mtime=0)
    run(EDITS, lambda edits: read("a.xyz.gz", edited(packed, edits)), cases)


@COSTLY
def test_bytes_of_hdf5(hdf5: bytes, read: Callable, cases: int) -> None:
    run(EDITS, lambda edits: read("a.h5", edited(hdf5, edits)), cases)


@COSTLY
def test_values_of_hdf5(hdf5: bytes, read: Callable, cases: int) -> None:
    """Sound files with datasets of any type and shape in place of what belongs there."""

    def check(case: tuple[str, np.ndarray | str | None]) -> None:
        name, value = case
        buffer = BytesIO(hdf5)
        with h5py.File(buffer, "r+") as file:
            for group in file.values():
                if name in group:
                    del group[name]
                if value is not None:
                    group[name] = value
        read("a.h5", buffer.getvalue())

    names = st.sampled_from(["positions", "elements", "forces", "energy", "cell", "pbc", "stress"])
    run(st.tuples(names, DATASETS), check, cases)


DATASETS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    st.builds(
        lambda dtype, shape: np.full(shape, 1, dtype=dtype),
        st.sampled_from(["f8", "f4", "i8", "u1", "?", "c16", "S3", "f2"]),
        st.lists(st.integers(0, 9), max_size=3),
    ),
    st.floats().map(np.float64),
)


def test_sizes_that_fill_memory_fuzz_or_not(tmp_path: Path, read: Callable) -> None:
    """Petabytes are claimed; nothing of it is allocated."""
    read("a.xyz", b"99999999999999\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\n")
    read("a.xyz", b"1\nProperties=species:S:1:pos:R:99999999999999 energy=1\nH 0 0 0\n")
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("0")
        group.create_dataset("positions", shape=(10**14, 3), chunks=(1000, 3), dtype="f8")
        group["elements"] = [1]
    read("a.h5", buffer.getvalue())
