"""Functions of an edge's length as tables, for force fields whose parameters no longer change.

The weights of messages are perceptrons of an edge's length: a third of the time of a prediction,
though nothing but the length and the parameters enters them. Here they become splines of fifth
degree, of which a length finds its polynomial in one row of a table.

A tabulated network is a smooth function of positions of its own, whose forces are the exact
derivatives of its energy: energy is conserved as without tables.
"""

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mlip_core.utils.compiled_apart import compiled_apart
from mlip_core.utils.garbage import collector_paused

Array = Any
Variables = dict[str, Any]

COLLECTION = "radial_tables"
VALUES = "intermediates"
"""The collection that values computed without tables are left in, if it is asked for."""

_DEGREE = 5
_NUMBERS_OF_INTERVALS = (128, 256, 512, 1024, 2048)
_TOLERANCE = 2e-5
"""Largest error of a slope, relative to the root of the mean square of that function's slopes."""


class RadialTable(NamedTuple):
    """Functions of a length, zero beyond the last interval.

    Attributes:
        coefficients: arrays ``[n_intervals, n_functions]``, of the powers of the position inside an
            interval (0 to 1), lowest power first.
        spacing: length of an interval, Å.
    """

    coefficients: tuple[Array, ...]
    spacing: Array


def by_length(module: nn.Module, name: str, lengths: Array, function: Callable[[], Array]) -> Array:
    """Values of a function of the length, from the module's table if it has one.

    Args:
        module: to which the function belongs.
        name: of the function in the module.
        lengths: ``[n]``, Å.
        function: gives ``[n, n_functions]`` for these lengths, zero from the cutoff on.
    """
    if module.has_variable(COLLECTION, name):
        return look_up(lengths, module.get_variable(COLLECTION, name))
    values = function()
    module.sow(VALUES, name, values, init_fn=lambda: None, reduce_fn=lambda _, new: new)
    return values


@jax.custom_vjp
def look_up(lengths: Array, table: RadialTable) -> Array:
    """Values of the functions, ``[n, n_functions]``; lengths beyond the table give zero."""
    return _values(lengths, table)


@compiled_apart
def _values(lengths: Array, table: RadialTable) -> Array:
    return _evaluate(lengths, table, [(1, one) for one in table.coefficients])


def _slopes(lengths: Array, table: RadialTable) -> Array:
    """Derivatives of the functions by the length, ``[n, n_functions]``."""
    terms = list(enumerate(table.coefficients))[1:]
    return _evaluate(lengths, table, terms) / table.spacing


def _evaluate(lengths: Array, table: RadialTable, terms: Sequence[tuple[int, Array]]) -> Array:
    """Polynomials by Horner's rule, zero beyond the table.

    Args:
        lengths: ``[n]``, Å.
        table: has the intervals.
        terms: a factor and the coefficients ``[n_intervals, n_functions]`` of each power.
    """
    rows, x, is_inside = _places(lengths, table)
    value = jnp.zeros((), lengths.dtype)
    for factor, coefficients in reversed(terms):
        value = value * x + factor * _rows(coefficients, rows)
    return jnp.where(is_inside, value, 0)


def _places(lengths: Array, table: RadialTable) -> tuple[Array, Array, Array]:
    """The row of each length, its position in that interval, and whether there is one."""
    n_intervals = table.coefficients[0].shape[0]
    position = lengths / table.spacing
    rows = jnp.clip(position.astype(jnp.int32), 0, n_intervals - 1)
    return rows, (position - rows)[:, None], (position < n_intervals)[:, None]


def _rows(x: Array, rows: Array) -> Array:
    return x.at[rows].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _forward(lengths: Array, table: RadialTable) -> tuple[Array, tuple[Array, RadialTable]]:
    return _values(lengths, table), (lengths, table)


def _backward(kept: tuple[Array, RadialTable], cotangent: Array) -> tuple[Array, None]:
    return _pull_back(*kept, cotangent), None


@compiled_apart
def _pull_back(lengths: Array, table: RadialTable, cotangent: Array) -> Array:
    # A product with ones: XLA's CPU backend does not vectorise sums into which it fuses.
    return (cotangent * _slopes(lengths, table)) @ jnp.ones(cotangent.shape[1], cotangent.dtype)


look_up.defvjp(_forward, _backward)


def make_tables(
    values_at: Callable[[Array], Variables], shortest: float, cutoff: float
) -> Variables:
    """Tables of all functions that a network calls :func:`by_length` for.

    Args:
        values_at: the variables that :func:`by_length` leaves behind at lengths ``[n]``, Å; called
            in double precision.
        shortest: a length that structures keep above, Å: below it, where functions are steeper,
            tables may be less exact.
        cutoff: Å.

    Returns:
        Variables with the collection ``radial_tables``; none if there are no such functions, or
        one has features that are too fine for a table.
    """
    knots = np.linspace(0, cutoff, 4 * _NUMBERS_OF_INTERVALS[-1] + 1)
    lengths = np.clip(knots, 1e-6 * cutoff, (1 - 1e-12) * cutoff)  # limits at both ends
    with jax.enable_x64(True), collector_paused():
        found = jax.jit(values_at)(lengths).get(VALUES, {})
    values, structure = jax.tree.flatten(found)
    tables = [_coarsest_table(knots, np.asarray(one), shortest) for one in values]
    if not tables or None in tables:
        return {}
    return {COLLECTION: jax.tree.unflatten(structure, tables)}


def _coarsest_table(knots: np.ndarray, values: np.ndarray, shortest: float) -> RadialTable | None:
    """Of functions ``[n_knots, n_functions]``; ``None`` if none is fine enough."""
    from scipy.interpolate import make_interp_spline  # takes a while, few need it

    exact = make_interp_spline(knots, values, _DEGREE).derivative()
    between = np.linspace(shortest, knots[-1], len(knots))
    slopes = exact(between)
    scale = np.sqrt(np.mean(slopes**2, axis=0))
    for n_intervals in _NUMBERS_OF_INTERVALS:
        step = (len(knots) - 1) // n_intervals
        spline = make_interp_spline(knots[::step], values[::step], _DEGREE)
        error = np.abs(spline.derivative()(between) - slopes).max(axis=0)
        if (error <= _TOLERANCE * scale).all():
            return _table_of(spline, knots[::step])
    return None


def _table_of(spline: Any, knots: np.ndarray) -> RadialTable:
    spacing = knots[1]
    coefficients = (
        spline(knots[:-1], nu=power) * spacing**power / factorial(power)
        for power in range(_DEGREE + 1)
    )
    return RadialTable(tuple(coefficients), np.asarray(spacing))
