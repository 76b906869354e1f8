"""Under which keys, and in which units, a file has its labels."""

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
        energy_unit: eV, meV, Hartree, Ry, kcal/mol or kJ/mol.
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
        return self.by_quantity[quantity]

    @cached_property
    def by_quantity(self) -> dict[str, str]:
        """The keys of "energy", "forces" and "stress"."""
        return {name: getattr(self, f"{name}_key") for name in QUANTITIES}

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of all three."""
        return frozenset(self.by_quantity.values())

    @property
    def is_virial(self) -> bool:
        """Whether ``stress_key`` holds a virial, i.e. has a unit of energy."""
        return self.stress_unit in ENERGY_UNITS

    @cached_property
    def length_factor(self) -> float:
        """Å per unit of length."""
        return LENGTH_UNITS[self.length_unit]

    @cached_property
    def factors(self) -> dict[str, float]:
        """What a label is multiplied by to be in our units and sign, by quantity.

        A virial must be divided by the volume as well.
        """
        energy = ENERGY_UNITS[self.energy_unit]
        forces = energy / self.length_factor
        stress = energy / self.length_factor**3
        if self.forces_unit is not None:
            forces = FORCES_UNITS[self.forces_unit]
        if self.stress_unit is not None:
            stress = _UNITS["stress_unit"][self.stress_unit]
        sign = self.stress_sign or ("compression" if self.is_virial else "tension")
        return {
            "energy": energy,
            "forces": forces,
            "stress": stress if sign == "tension" else -stress,
        }
