"""Numbers as a reader wants them."""

import math
from collections.abc import Sequence
from typing import Any

MISSING = "–"
_MINUS = "−"


def significant(value: Any, suffix: str = "", digits: int = 3) -> str:
    """Three significant digits without exponent where that stays short: 0.0342, 18.2, 1234."""
    if is_missing(value):
        return MISSING
    number = float(value)
    if number == 0.0:
        return f"0{suffix}"
    exponent = int(f"{number:.{digits - 1}e}".partition("e")[2])
    if not -5 <= exponent < 7:
        text = f"{number:.{digits - 1}e}"
    else:
        text = f"{number:.{max(0, digits - 1 - exponent)}f}"
    return text.replace("-", _MINUS) + suffix


def fixed(value: Any, decimals: int) -> str:
    """A fixed number of decimals."""
    return MISSING if is_missing(value) else f"{float(value):.{decimals}f}".replace("-", _MINUS)


def r_squared(value: Any) -> str:
    """Five decimals near 1; a negative one is that of a bad model and needs no decimals."""
    return fixed(value, 5) if is_missing(value) or value >= 0 else significant(value)


def thousands(value: Any) -> str:
    """An integer with thin spaces between thousands."""
    return MISSING if is_missing(value) else f"{int(value):,}".replace(",", "\u202f")


def duration(seconds: Any) -> str:
    """Seconds, minutes or hours: 42 s, 3 min 20 s, 2 h 05 min."""
    if is_missing(seconds):
        return MISSING
    total = round(float(seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def enumeration(words: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def is_missing(value: Any) -> bool:
    """Whether there is no value: ``None`` or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))
