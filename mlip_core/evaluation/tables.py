"""Evaluated structures as flat columns, which metrics, plots and pandas work on.

Two tables are saved as Parquet; ``pandas.read_parquet`` reads them. Numbers keep all their digits,
and a missing one is NaN. A row of ``structures.parquet`` is a structure, in the order of the test
set:

- ``source``: ``"<file name>:<frame index>"``; ``config_type``: text or missing; ``formula``;
- ``n_atoms``;
- ``reference_energy``, ``predicted_energy``: total energies, eV;
- ``reference_interaction_energy``, ``predicted_interaction_energy``: without atomic energies, eV;
- ``reference_stress_xx`` and so on, then ``predicted_stress_xx``: components xx, yy, zz, yz, xz,
  xy, eV/Å³, positive under tension.

A row of ``atoms.parquet`` is an atom:

- ``structure``: row of its structure in the other table; ``element``: symbol;
- ``reference_fx``, ``_fy``, ``_fz``, ``predicted_fx``, ``_fy``, ``_fz``: forces, eV/Å.

The format is Parquet rather than text: it is half the size, written in a tenth of the time (150,000
atoms in 0.1 s), and pandas reads every digit of it without being asked to.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.symbols import Symbols

from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.utils.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

STRUCTURES_FILE = "structures.parquet"
ATOMS_FILE = "atoms.parquet"

Side = Literal["reference", "predicted"]
_SIDES: tuple[Side, Side] = ("reference", "predicted")
_STRESS = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "yz": (1, 2), "xz": (0, 2), "xy": (0, 1)}


@dataclass(frozen=True)
class SideColumns:
    """The reference values, or the predicted ones; NaN where there are none.

    Attributes:
        energy: ``[n_structures]``, total energies, eV.
        interaction_energy: ``[n_structures]``, eV.
        stress: ``[n_structures, 3, 3]``, eV/Å³.
        forces: ``[n_atoms, 3]`` of all structures, eV/Å.
    """

    energy: np.ndarray
    interaction_energy: np.ndarray
    stress: np.ndarray
    forces: np.ndarray


@dataclass(frozen=True)
class Tables:
    """A test set with reference and predicted values.

    Attributes:
        source: of each structure.
        config_type: of each structure, or ``None``.
        formula: of each structure.
        n_atoms: ``[n_structures]``.
        numbers: ``[n_atoms]`` of all structures, atomic numbers.
        reference: the labels.
        predicted: what the model says.
    """

    source: Sequence[str]
    config_type: Sequence[str | None]
    formula: Sequence[str]
    n_atoms: np.ndarray
    numbers: np.ndarray
    reference: SideColumns
    predicted: SideColumns

    def __len__(self) -> int:
        return len(self.n_atoms)

    @property
    def structure(self) -> np.ndarray:
        """``[n_atoms]``, the structure of each atom."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    def side(self, side: Side) -> SideColumns:
        """The labels or the predictions."""
        return self.reference if side == "reference" else self.predicted


class TableBuilder:
    """Gathers structures one by one; about 60 bytes of memory for each atom."""

    def __init__(self) -> None:
        """Begin without any."""
        self._source: list[str] = []
        self._config_type: list[str | None] = []
        self._formula: list[str] = []
        self._numbers: list[np.ndarray] = []
        self._sides: dict[Side, _SideBuilder] = {side: _SideBuilder() for side in _SIDES}

    def add(self, structure: EvaluatedStructure) -> None:
        """Append a structure."""
        self._source.append(structure.source)
        self._config_type.append(structure.config_type)
        numbers = structure.atoms.numbers.astype(np.uint8)
        self._formula.append(_formula(numbers.tobytes()))
        self._numbers.append(numbers)
        for side, builder in self._sides.items():
            builder.add(getattr(structure, side), structure.n_atoms)

    def build(self) -> Tables:
        """The tables of all that was added."""
        return Tables(
            source=self._source,
            config_type=self._config_type,
            formula=self._formula,
            n_atoms=np.array([len(numbers) for numbers in self._numbers], dtype=np.int64),
            numbers=np.concatenate([np.zeros(0, np.uint8), *self._numbers]),
            reference=self._sides["reference"].build(),
            predicted=self._sides["predicted"].build(),
        )


@lru_cache(maxsize=4096)
def _formula(numbers: bytes) -> str:
    """Of atoms by their numbers; the same ones come again and again."""
    return Symbols(np.frombuffer(numbers, np.uint8)).get_chemical_formula()


class _SideBuilder:
    def __init__(self) -> None:
        self._energy: list[float] = []
        self._interaction_energy: list[float] = []
        self._stress: list[np.ndarray] = []
        self._forces: list[np.ndarray] = []

    def add(self, values: Values, n_atoms: int) -> None:
        self._energy.append(_or_nan(values.energy))
        self._interaction_energy.append(_or_nan(values.interaction_energy))
        self._stress.append(_NO_STRESS if values.stress is None else values.stress)
        forces = values.forces
        self._forces.append(np.full((n_atoms, 3), np.nan) if forces is None else forces)

    def build(self) -> SideColumns:
        return SideColumns(
            energy=np.array(self._energy, dtype=np.float64),
            interaction_energy=np.array(self._interaction_energy, dtype=np.float64),
            stress=np.array(self._stress, dtype=np.float64).reshape(-1, 3, 3),
            forces=np.concatenate([np.zeros((0, 3)), *self._forces]),
        )


_NO_STRESS = np.full((3, 3), np.nan)


def tabulate(structures: Iterable[EvaluatedStructure]) -> Tables:
    """The tables of some structures."""
    builder = TableBuilder()
    for structure in structures:
        builder.add(structure)
    return builder.build()


def structures_table(tables: Tables) -> "pd.DataFrame":
    """The table of structures."""
    import pandas as pd

    columns = {
        "source": pd.array(tables.source, dtype="str"),
        "config_type": pd.array(tables.config_type, dtype="str"),
        "formula": pd.array(tables.formula, dtype="str"),
        "n_atoms": tables.n_atoms,
    }
    for name in ("energy", "interaction_energy"):
        columns |= {f"{side}_{name}": getattr(tables.side(side), name) for side in _SIDES}
    for side in _SIDES:
        stress = tables.side(side).stress
        columns |= {f"{side}_stress_{name}": stress[:, i, j] for name, (i, j) in _STRESS.items()}
    return pd.DataFrame(columns)


def atoms_table(tables: Tables) -> "pd.DataFrame":
    """The table of atoms."""
    import pandas as pd

    used = np.unique(tables.numbers)
    elements = pd.Categorical.from_codes(
        np.searchsorted(used, tables.numbers), pd.Index([chemical_symbols[z] for z in used])
    )
    columns = {"structure": tables.structure.astype(np.int32), "element": elements}
    for side in _SIDES:
        forces = tables.side(side).forces
        columns |= {f"{side}_f{axis}": forces[:, i] for i, axis in enumerate("xyz")}
    return pd.DataFrame(columns)


def write_tables(directory: str | os.PathLike[str], tables: Tables) -> None:
    """Write ``structures.parquet`` and ``atoms.parquet``, the same bytes for the same values."""
    for name, table in ((STRUCTURES_FILE, structures_table), (ATOMS_FILE, atoms_table)):
        with atomic_path(Path(directory) / name) as temporary:
            table(tables).to_parquet(temporary, engine="pyarrow", compression="zstd", index=False)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
