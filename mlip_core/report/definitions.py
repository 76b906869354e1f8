"""What the numbers of the report mean, in the words of the rooms that compute them."""

from mlip_core.evaluation import DEFINITIONS
from mlip_core.report.elements import Fact

_TERMS = {
    "errors": "Errors",
    "mae": "MAE",
    "rmse": "RMSE",
    "max": "Largest",
    "quantiles": "Quantiles",
    "relative_rmse_percent": "RMSE / spread",
    "reference_std": "Spread",
    "r2": "R²",
    "mean_cosine": "Mean cosine",
    "confidence": "Intervals",
    "energy": "Energy of a structure",
    "energy_per_atom": "Energy per atom",
    "forces": "Force components",
    "forces_vector": "Force vectors",
    "stress": "Stress components",
    "energy_shift": "Shifted energies",
    "by_config_type": "By config_type",
    "by_element": "By element",
    "by_size": "By number of atoms",
    "by_force_magnitude": "By size of the force",
}
_OTHERS = (
    Fact(
        "Physics checks",
        "Each has quantities with limits; it passes if all that are judged pass. A check that has "
        "nothing to look at in a study does not count.",
    ),
    Fact(
        "Time per atom",
        "Time of a step of dynamics divided by the number of atoms, for the largest structure that "
        "was timed.",
    ),
)


def definitions() -> list[Fact]:
    """All definitions, in the order of the page."""
    known = [Fact(label, DEFINITIONS[name]) for name, label in _TERMS.items()]
    return [*known, *_OTHERS]
