import numpy as np
import pytest
from pydantic import ValidationError

from mlip_core.data import ChemicalSystem

GOOD = {
    "atomic_numbers": np.array([1, 8]),
    "atomic_species": np.array([0, 1]),
    "positions": np.zeros((2, 3)),
}


def test_defaults() -> None:
    system = ChemicalSystem(**GOOD)
    assert system.weight == 1.0
    for name in ("energy", "forces", "stress", "cell", "pbc"):
        assert getattr(system, name) is None


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        ("atomic_species", (3,)),
        ("positions", (3, 3)),
        ("positions", (2, 2)),
        ("forces", (1, 3)),
        ("cell", (3,)),
        ("stress", (6,)),
    ],
)
def test_wrong_shapes(field: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match=f"{field} must have shape"):
        ChemicalSystem(**{**GOOD, field: np.zeros(shape)})
