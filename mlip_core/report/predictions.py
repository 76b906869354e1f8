"""Reference and predicted values of a test set, as the plots need them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from mlip_core.data.frames import read_frames_at


@dataclass(frozen=True)
class WorstStructure:
    """A structure that is predicted badly.

    Attributes:
        source: file and number of the frame.
        config_type: the group it belongs to, or empty.
        atoms: the structure.
        energy_error: predicted minus reference, eV/atom; NaN if not known.
        force_error: length of the largest difference of force vectors, eV/Å; NaN if not known.
        atom: index of the atom that has it, if it is known.
    """

    source: str
    config_type: str
    atoms: Atoms
    energy_error: float
    force_error: float
    atom: int | None


@dataclass(frozen=True)
class Predictions:
    """A test set.

    Attributes:
        energies: interaction energies of structures that have them, reference and predicted,
            ``[n, 2]``, eV/atom.
        forces: force components, reference and predicted, ``[n, 2]``, eV/Å.
        stress: stress components, each once, reference and predicted, ``[n, 2]``, eV/Å³.
        worst: the structures with the largest errors, the worst first.
    """

    energies: np.ndarray
    forces: np.ndarray
    stress: np.ndarray
    worst: Sequence[WorstStructure]


def read_predictions(directory: Path, n_worst: int = 10) -> Predictions | None:
    """The values of a test set from its tables, ``None`` if there are none.

    Of the structures themselves only the worst are read.
    """
    if not (directory / "structures.parquet").exists():
        return None
    structures = pd.read_parquet(directory / "structures.parquet")
    atoms = pd.read_parquet(directory / "atoms.parquet")
    energies = _pairs(structures, "interaction_energy") / structures[["n_atoms"]].to_numpy()
    components = np.stack([_pairs(atoms, f"f{axis}") for axis in "xyz"], axis=1)
    errors = _StructureErrors.of(structures, energies, components)
    path = directory / "predictions.extxyz"
    return Predictions(
        energies=_known(energies),
        forces=_known(components.reshape(-1, 2)),
        stress=_known(np.concatenate([_pairs(structures, f"stress_{c}") for c in _STRESS])),
        worst=list(_worst(structures, errors, path, n_worst)),
    )


_STRESS = ("xx", "yy", "zz", "yz", "xz", "xy")


def _known(pairs: np.ndarray) -> np.ndarray:
    return pairs[~np.isnan(pairs).any(axis=1)]


def _pairs(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[[f"reference_{name}", f"predicted_{name}"]].to_numpy(dtype=np.float64)


@dataclass(frozen=True)
class _StructureErrors:
    """Of each structure ``[n]``: energy per atom, largest force, and the atom it acts on."""

    energy: np.ndarray
    force: np.ndarray
    atom: np.ndarray

    @classmethod
    def of(
        cls, structures: pd.DataFrame, energies: np.ndarray, components: np.ndarray
    ) -> "_StructureErrors":
        lengths = np.linalg.norm(components[:, :, 1] - components[:, :, 0], axis=1)
        starts = np.cumsum(structures["n_atoms"]) - structures["n_atoms"]
        largest = np.fmax.reduceat(lengths, starts) if len(structures) else np.empty(0)
        # The first atom of each structure that has its largest error.
        owner = np.repeat(np.arange(len(structures)), structures["n_atoms"])
        found = np.flatnonzero(lengths == largest[owner])
        _, first = np.unique(owner[found], return_index=True)
        atom = np.full(len(structures), -1)
        atom[owner[found[first]]] = found[first] - starts.to_numpy()[owner[found[first]]]
        return cls(energies[:, 1] - energies[:, 0], largest, atom)

    def order(self) -> np.ndarray:
        """Structures from the worst on: by the error of a force, else by that of the energy."""
        by = self.force if np.isfinite(self.force).any() else np.abs(self.energy)
        known = np.flatnonzero(np.isfinite(by))
        return known[np.argsort(-by[known], kind="stable")]


def _worst(
    structures: pd.DataFrame, errors: _StructureErrors, path: Path, count: int
) -> Iterator[WorstStructure]:
    chosen = errors.order()[:count].tolist()
    if not chosen or not path.exists():
        return
    frames = read_frames_at(path, chosen, require=())
    for index, frame in zip(chosen, frames, strict=True):
        row = structures.iloc[index]
        yield WorstStructure(
            source=str(row["source"]),
            config_type="" if pd.isna(row["config_type"]) else str(row["config_type"]),
            atoms=frame.atoms,
            energy_error=float(errors.energy[index]),
            force_error=float(errors.force[index]),
            atom=int(errors.atom[index]) if errors.atom[index] >= 0 else None,
        )
