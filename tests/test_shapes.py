"""Docstrings whose shapes do not hold are found."""

import numpy as np
import pytest

from mlip_core.models.neighbors import take_senders
from tests.shapes import checked, documented_shapes


def scale(x: np.ndarray, factors: np.ndarray | float) -> np.ndarray:
    """Rows times factors.

    Args:
        x: ``[n_rows, 3]``, Å.
        factors: ``[n_rows]`` or ``[n_rows, 1]``; or one for all.

    Returns:
        ``[n_rows, 3]``
    """
    return x * np.reshape(factors, (-1, 1))


def widths(x: np.ndarray) -> np.ndarray:
    """``[n, 2 l + 1]`` to ``[n, ...]``."""
    return x[1:]


def test_shapes_are_read_from_docstrings() -> None:
    shapes = documented_shapes(scale)
    assert {name: [one.dim_str for one in types] for name, types in shapes.arguments.items()} == {
        "x": ["n_rows 3"],
        "factors": ["n_rows", "n_rows 1"],
    }
    assert [one.dim_str for one in shapes.result] == ["n_rows 3"]
    assert [one.dim_str for one in documented_shapes(widths).arguments["x"]] == ["n _"]


def test_arrays_are_compared_with_the_docstring() -> None:
    rows = np.ones((4, 3))
    for factors in (np.ones(4), np.ones((4, 1)), 2.0):
        assert checked(scale)(rows, factors).shape == (4, 3)
    with pytest.raises(AssertionError, match=r"shape of x is \(4, 2\); its docstring says n_rows"):
        checked(scale)(np.ones((4, 2)), np.ones(4))
    with pytest.raises(AssertionError, match=r"shape of factors is \(3,\)"):
        checked(scale)(rows, np.ones(3))
    with pytest.raises(AssertionError, match=r"shape of the result is \(3, 5\)"):
        checked(widths)(np.ones((4, 5)))


def test_the_package_is_checked() -> None:
    with pytest.raises(AssertionError, match="take_senders: the shape of x"):
        take_senders(np.array(1.0), np.array([0]), np.array([0]), None)
