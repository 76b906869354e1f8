"""The benchmark of the data path: what it generates, and that both libraries' program runs."""

import sys
from pathlib import Path

import numpy as np

from benchmarks.data.cases import OURS
from benchmarks.data.generate import ATOMIC_ENERGIES, ELEMENTS, write_structures
from benchmarks.models.worker import running
from mlip_core.data.frames import read_frames

STIFFNESS = 8.0


def test_generated_structures(tmp_path: Path) -> None:
    write_structures(tmp_path / "some.xyz", 300)
    frames = read_frames(tmp_path / "some.xyz")
    sizes = [len(frame) for frame in frames]
    assert len(frames) == 300
    assert 5 <= min(sizes) < 20
    assert 180 < max(sizes) <= 200
    assert len({frame.digest for frame in frames}) == 300
    assert 50 < sum(bool(frame.pbc.all()) for frame in frames) < 250
    number = {1: "H", 6: "C", 8: "O", 14: "Si"}
    for frame in frames[:20]:
        kinds = [ELEMENTS.index(number[z]) for z in frame.numbers.tolist()]
        springs = np.square(frame.forces).sum() / (2 * STIFFNESS)
        np.testing.assert_allclose(frame.energy, ATOMIC_ENERGIES[kinds].sum() + springs, atol=1e-4)


def test_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_structures(tmp_path / name, 20)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_our_program_counts_its_structures(tmp_path: Path) -> None:
    write_structures(tmp_path / "some.xyz", 30)
    case = {
        "library": OURS.variant,
        "file": str(tmp_path / "some.xyz"),
        "num_structures": 25,
        "batch_size": 4,
        "cutoff": 3.0,
    }
    with running(Path(sys.executable), OURS, case, {}) as worker:
        assert worker.run("prepare", 2)[1] == [25, 25]
        assert worker.run("assemble", 1)[1] == [25]
        assert worker.description["batches"] == 7
