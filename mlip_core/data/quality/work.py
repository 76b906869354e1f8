"""How the energy changes from one frame to the next, and what forces and stress say about it.

Of neighbouring frames the trapezoidal rule gives the difference of the energies as the work of the
mean forces along the displacements plus that of the mean stress along the strain,
``ΔE ≈ -Σ F·Δr + V σ:ε``. It is exact where the energy is quadratic. Labels of another sign or unit
violate it by a factor.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mlip_core.data.frames import Frame, FrameBlock

# Beyond these the energy between two frames is no parabola.
_MAX_DISPLACEMENT_ANGSTROM = 0.3
_MAX_STRAIN = 0.1
_NO_STRAIN = 1e-7


def measure_work(block: FrameBlock, previous: Frame | None) -> dict[str, np.ndarray]:
    """Compare each frame with the one before it in the file, where they are neighbours.

    Args:
        block: the frames.
        previous: the frame before the first.

    Returns:
        Arrays ``[n_frames]``, eV: ``energy_change``, ``force_work`` and ``stress_work``; NaN where
        frames differ in more than small displacements and strains, or a label is missing.
    """
    frames = [*([] if previous is None else [previous]), *block.frames()]
    names = ("energy_change", "force_work", "stress_work")
    values = np.full((3, len(frames)), np.nan)
    for start, stop in _runs(frames):
        run = frames[start:stop]
        work = _periodic_work(run) if run[0].pbc.all() else _molecular_work(run)
        energies = np.array([frame.energy for frame in run])
        values[:, start + 1 : stop] = np.diff(energies), *work
    skipped = len(frames) - len(block)
    return dict(zip(names, values[:, skipped:], strict=True))


def _runs(frames: Sequence[Frame]) -> Iterator[tuple[int, int]]:
    """Ranges of at least two frames of the same atoms."""
    start = 0
    for stop in range(1, len(frames) + 1):
        if stop == len(frames) or not _comparable(frames[stop - 1], frames[stop]):
            if stop - start > 1:
                yield start, stop
            start = stop


def _comparable(one: Frame, other: Frame) -> bool:
    return (
        len(one) == len(other)
        and all(f.energy is not None and f.forces is not None for f in (one, other))
        and one.pbc.tolist() == other.pbc.tolist()
        and len(set(one.pbc.tolist())) == 1
        and bool((one.numbers == other.numbers).all())
    )


def _molecular_work(run: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Work of forces between consecutive frames, the later one turned onto the earlier."""
    positions = np.stack([frame.positions for frame in run])
    positions = positions - positions.mean(axis=1, keepdims=True)
    forces = _forces(run)
    turns = _rotations(positions[1:], positions[:-1])
    displacements = positions[1:] @ turns - positions[:-1]
    work = _work(forces[1:] @ turns + forces[:-1], displacements)
    return work, np.zeros(len(work))


def _rotations(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Rotations ``[n, 3, 3]`` with ``moving @ rotation`` nearest to ``fixed``, both centred.

    Kabsch 1976, doi:10.1107/S0567739476001873.
    """
    left, _, right = np.linalg.svd(moving.swapaxes(1, 2) @ fixed)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    return left @ right


def _periodic_work(run: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Work of forces and stress between consecutive frames."""
    cells = np.stack([frame.cell for frame in run])
    before, after = cells[:-1], cells[1:]
    strains = np.linalg.inv(before) @ (after - before)
    far = np.abs(strains).max(axis=(1, 2)) > _MAX_STRAIN
    # Halfway between two cells may be none; such pairs count for nothing.
    halfway = np.where(far[:, None, None], before, (before + after) / 2)
    fractional = np.stack([frame.positions for frame in run]) @ np.linalg.inv(cells)
    steps = np.diff(fractional, axis=0)
    steps -= np.round(steps)
    displacements = (steps - steps.mean(axis=1, keepdims=True)) @ halfway
    forces = _forces(run)
    force_work = _work(forces[1:] + forces[:-1], displacements)
    stress_work = _stress_work(run, cells, np.linalg.inv(halfway) @ (after - before))
    return np.where(far, np.nan, force_work), np.where(far, np.nan, stress_work)


def _stress_work(run: Sequence[Frame], cells: np.ndarray, strains: np.ndarray) -> np.ndarray:
    stresses = np.stack([np.full((3, 3), np.nan) if f.stress is None else f.stress for f in run])
    virials = np.abs(np.linalg.det(cells))[:, None, None] * stresses
    work = np.einsum("kij,kij->k", virials[1:] + virials[:-1], strains) / 2
    return np.where(np.abs(strains).max(axis=(1, 2)) < _NO_STRAIN, 0.0, work)


def _forces(run: Sequence[Frame]) -> np.ndarray:
    return np.stack([frame.forces for frame in run if frame.forces is not None])


def _work(twice_mean_forces: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Energy change that forces say, NaN where the displacements are too large."""
    work = -np.einsum("kni,kni->k", twice_mean_forces, displacements) / 2
    squares = np.einsum("kni,kni->k", displacements, displacements) / displacements.shape[1]
    return np.where(squares < _MAX_DISPLACEMENT_ANGSTROM**2, work, np.nan)
