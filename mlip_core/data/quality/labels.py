"""What is measured of labels: sizes of forces and stress."""

import numpy as np

from mlip_core.data.frames import FrameBlock

_GOLDEN_RATIO = (1 + 5**0.5) / 2


def measure_labels(block: FrameBlock) -> dict[str, np.ndarray]:
    """Sizes of each frame's forces and stress.

    Returns:
        Arrays ``[n_frames]``, NaN where a label is missing: ``largest_force``, ``force_rms`` (of
        components) and ``net_force``, eV/Å; ``force_mark``, eV/Å, a projection that tells forces
        apart; ``pressure``, minus the mean of the diagonal of the stress, and ``largest_stress``,
        the largest component, eV/Å³.
    """
    squares = np.einsum("ij,ij->i", block.forces, block.forces)
    components = 3 * block.n_atoms
    return {
        "largest_force": np.sqrt(np.maximum.reduceat(squares, block.starts)),
        "force_rms": np.sqrt(np.add.reduceat(squares, block.starts) / components),
        "net_force": np.linalg.norm(np.add.reduceat(block.forces, block.starts), axis=1),
        "force_mark": _mark(block) / np.sqrt(components),
        "pressure": -np.einsum("ijj->i", block.stress) / 3,
        "largest_stress": np.abs(block.stress).max(axis=(1, 2)),
    }


def _mark(block: FrameBlock) -> np.ndarray:
    """The forces' projection on fixed directions: two different sets of forces have different ones.

    The directions follow Weyl's sequence of the golden ratio, centred; it never repeats.
    """
    atom = np.arange(len(block.numbers)) - np.repeat(block.starts, block.n_atoms)
    component = 3 * atom[:, None] + np.arange(1, 4)
    directions = (component * _GOLDEN_RATIO) % 1 - 0.5
    return np.add.reduceat((block.forces * directions).sum(axis=1), block.starts)
