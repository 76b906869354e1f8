"""Under which keys, and in which units, a file has its labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from mlip_core.data.frames.units import (
    ENERGY_UNITS,
    FORCES_UNITS,
    LENGTH_UNITS,
    STRESS_UNITS,
    canonical_unit,
)

QUANTITIES = ("energy", "forces", "stress")

_UNITS = {
    "energy_unit": ENERGY_UNITS,
    "length_unit": LENGTH_UNITS,
    "forces_unit": FORCES_UNITS,
    # A "stress" in units of energy is a virial.
    "stress_unit": STRESS_UNITS | ENERGY_UNITS,
}


class LabelKeys(BaseModel):
    """Under which keys a file has its labels, and in which units.

    A key is looked for among the frame's properties, its per-atom columns, and the results of the
    calculator that ASE makes of some formats.

    Attributes:
        energy_key: total energy.
        forces_key: forces.
        stress_key: stress or virial; 3 x 3, 9 numbers or Voigt's 6 (xx, yy, zz, yz, xz, xy).
        energy_unit: one of eV, meV, Hartree, Ry, kcal/mol or kJ/mol.
        length_unit: of positions and cell: Angstrom, Bohr, nm or pm.
        forces_unit: an energy over a length, e.g. `Hartree/Bohr`; by default `energy_unit` over
            `length_unit`.
        stress_unit: GPa, MPa, Pa, kbar, bar, an energy over a volume, e.g. `eV/Angstrom^3`, or, if
            the key holds a virial, an energy; by default `energy_unit` over `length_unit` cubed.
        stress_sign: under which strain the diagonal is positive; by default under tension for a
            stress and under compression for a virial, which is minus stress times volume.
        missing: whether a frame without a label that is needed is an `error`, or the label is
            left out of loss and errors (`mask`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    energy_key: str = "energy"
    forces_key: str = "forces"
    stress_key: str = "stress"
    energy_unit: str = "eV"
    length_unit: str = "Angstrom"
    forces_unit: str | None = None
    stress_unit: str | None = None
    stress_sign: Literal["tension", "compression"] | None = None
    missing: Literal["error", "mask"] = "error"

    @field_validator(*_UNITS)
    @classmethod
    def _known_unit(cls, value: str | None, info: ValidationInfo) -> str | None:
        assert info.field_name is not None
        return None if value is None else canonical_unit(value, _UNITS[info.field_name])

    def key(self, quantity: str) -> str:
        """The key of "energy", "forces" or "stress"."""
        return getattr(self, f"{quantity}_key")

    def table(self, require: Sequence[str]) -> "LabelTable":
        """What a reader needs, worked out once.

        Raises:
            ValueError: if ``require`` names something else than energy, forces and stress.
        """
        unknown = set(require) - set(QUANTITIES)
        if unknown:
            raise ValueError(f"unknown labels {sorted(unknown)}: choose from {QUANTITIES}")
        return LabelTable(
            keys={name: self.key(name) for name in QUANTITIES},
            factors=self._factors(),
            length=LENGTH_UNITS[self.length_unit],
            is_virial=self._is_virial(),
            require=() if self.missing == "mask" else tuple(require),
        )

    def _is_virial(self) -> bool:
        return self.stress_unit in ENERGY_UNITS

    def _factors(self) -> dict[str, float]:
        energy = ENERGY_UNITS[self.energy_unit]
        length = LENGTH_UNITS[self.length_unit]
        forces = energy / length
        stress = energy / length**3
        if self.forces_unit is not None:
            forces = FORCES_UNITS[self.forces_unit]
        if self.stress_unit is not None:
            stress = _UNITS["stress_unit"][self.stress_unit]
        sign = self.stress_sign or ("compression" if self._is_virial() else "tension")
        return {
            "energy": energy,
            "forces": forces,
            "stress": stress if sign == "tension" else -stress,
        }


@dataclass(frozen=True)
class LabelTable:
    """Where a file has which label, and how it becomes ours.

    Attributes:
        keys: the key of each quantity.
        factors: what each quantity is multiplied by to have our unit and sign.
        length: Å per unit of length.
        is_virial: whether "stress" is to be divided by the volume as well.
        require: quantities that no frame may lack.
    """

    keys: dict[str, str]
    factors: dict[str, float]
    length: float
    is_virial: bool
    require: tuple[str, ...]

    @cached_property
    def wanted(self) -> frozenset[str]:
        """All keys."""
        return frozenset(self.keys.values())
