"""Input made by chance, quickly for every change and thoroughly with ``make fuzz``.

A test of this kind is in a file ``test_…_fuzz.py``, takes the number of cases as its argument
``cases`` and is parametrized by :func:`number_of_cases`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlip_core.utils.errors import UserError

# Of any length and anywhere: (place as a share of the length, bytes removed, bytes put there).
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=4
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(-2, 9),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, 1, 1e-300, 1e300, 2**31, 2**63]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | st.just("4x0e + 9x99o"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def number_of_cases(quick: int, thorough: int) -> pytest.MarkDecorator:
    """How many there are in the quick tests and with ``make fuzz``."""
    slow = pytest.param(thorough, marks=pytest.mark.slow)
    return pytest.mark.parametrize("cases", [quick, slow])


def run(strategy: st.SearchStrategy, check: Callable[[Any], None], cases: int) -> None:
    """Check so many values; the same ones each time, but when there are many of them."""
    settings(
        max_examples=cases,
        deadline=None,
        derandomize=cases <= 500,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(check))()


def edited(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Some bytes with others in their place."""
    for share, n_removed, added in edits:
        place = int(share * len(content))
        content = content[:place] + added + content[place + n_removed :]
    return content


def read_or_complain(read: Callable[[Path], Any], path: Path) -> Any:
    """What reading a file gives; ``None`` if it was refused, in one line that names the file."""
    try:
        return read(path)
    except UserError as error:
        message = str(error)
        assert str(path) in message
        assert message.isprintable(), message
        return None
