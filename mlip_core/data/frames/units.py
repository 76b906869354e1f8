"""Units by name, as factors to eV, Å, eV/Å and eV/Å³."""

from collections.abc import Mapping
from difflib import get_close_matches

# CODATA 2022; 1 eV = 1.602176634e-19 J, 1 kcal = 4.184 kJ and Avogadro's number are exact.
_HARTREE_EV = 27.211386245981
_BOHR_ANGSTROM = 0.529177210544
_KJ_PER_MOL_EV = 1e3 / (6.02214076e23 * 1.602176634e-19)
_GPA_EV_PER_ANGSTROM3 = 1e9 * 1e-30 / 1.602176634e-19

ENERGY_UNITS = {
    "eV": 1.0,
    "meV": 1e-3,
    "Hartree": _HARTREE_EV,
    "Ha": _HARTREE_EV,
    "Ry": _HARTREE_EV / 2,
    "Rydberg": _HARTREE_EV / 2,
    "kcal/mol": 4.184 * _KJ_PER_MOL_EV,
    "kJ/mol": _KJ_PER_MOL_EV,
}
LENGTH_UNITS = {
    "Angstrom": 1.0,
    "A": 1.0,
    "Å": 1.0,
    "Bohr": _BOHR_ANGSTROM,
    "nm": 10.0,
    "pm": 1e-2,
}
FORCES_UNITS = {
    f"{energy}/{length}": e / r
    for energy, e in ENERGY_UNITS.items()
    for length, r in LENGTH_UNITS.items()
}
STRESS_UNITS = {
    "GPa": _GPA_EV_PER_ANGSTROM3,
    "MPa": 1e-3 * _GPA_EV_PER_ANGSTROM3,
    "Pa": 1e-9 * _GPA_EV_PER_ANGSTROM3,
    "kbar": 1e-1 * _GPA_EV_PER_ANGSTROM3,
    "bar": 1e-4 * _GPA_EV_PER_ANGSTROM3,
} | {
    f"{energy}/{length}^3": e / r**3
    for energy, e in ENERGY_UNITS.items()
    for length, r in LENGTH_UNITS.items()
}


def canonical_unit(name: str, units: Mapping[str, float]) -> str:
    """The spelling in ``units`` of a unit given in any case.

    Raises:
        ValueError: if there is no such unit; names the nearest spelling, or the units there are.
    """
    by_lower = {unit.lower(): unit for unit in units}
    wanted = name.strip().replace("³", "^3").lower()
    if name in units or wanted in by_lower:
        return name if name in units else by_lower[wanted]
    near = get_close_matches(wanted, by_lower, n=1)
    hint = f'did you mean "{by_lower[near[0]]}"?' if near else f"choose from {_listed(units)}"
    raise ValueError(f'unknown unit "{name}"; {hint}')


def _listed(units: Mapping[str, float]) -> str:
    # Combinations of units are too many to list; what they are combined of says enough.
    names = [name for name in units if "Å" not in name]
    return ", ".join(names) if len(names) <= 12 else ", ".join(names[:8]) + ", ..."
