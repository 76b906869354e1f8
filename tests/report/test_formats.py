"""Numbers as they are read on the page."""

import math

import pytest

from mlip_core.report.formats import duration, enumeration, fixed, r_squared, significant, thousands


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034249, "0.0342"),
        (18.2345, "18.2"),
        (1234.5, "1234"),
        (9.996, "10.0"),
        (-0.15, "−0.150"),
        (0.0, "0"),
        (1.2e-7, "1.20e−07"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_significant(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_significant_with_unit() -> None:
    assert significant(1.789, " %") == "1.79 %"
    assert significant(None, " %") == "–"


def test_fixed() -> None:
    assert fixed(-0.99968, 4) == "−0.9997"
    assert fixed(None, 4) == "–"


def test_r_squared() -> None:
    assert r_squared(0.9997) == "0.99970"
    assert r_squared(-36717.76) == "−36718"
    assert r_squared(None) == "–"


def test_thousands() -> None:
    assert thousands(1234567) == "1\u202f234\u202f567"
    assert thousands(999.0) == "999"
    assert thousands(math.nan) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (42.4, "42 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (None, "–"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_enumeration() -> None:
    assert enumeration([]) == ""
    assert enumeration(["H"]) == "H"
    assert enumeration(["H", "C", "O"]) == "H, C and O"
