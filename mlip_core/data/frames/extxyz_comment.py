"""The comment line of an extended XYZ frame: ``key=value`` pairs.

A value is a number, a truth (T, F), a word, an array of numbers or truths in quotes or brackets, or
``_JSON`` and a JSON text; a key without a value is true. Quotes, braces and brackets keep spaces
together, a backslash keeps the character after it as it is.
"""

import json
import re
from functools import lru_cache
from typing import Any

import numpy as np

from mlip_core.data.frames.raw import BadContentError

# The pairs of nearly all files, at once: key, equals sign, value in quotes, value, or anything else
_SIMPLE = re.compile(
    r"""\s*(?:([^\s=\\"'{}\[\]]+)(?:(=)(?:"([^"\\]*)"|([^\s=\\"'{}\[\]]+)))?(?=\s|$)|(\S))"""
)
# A word of any pair: pieces in quotes or brackets (these nested once) and single characters.
_PIECE = re.compile(
    r"""\\(?P<escaped>.)
    | "(?P<double>(?:\\.|[^"\\])*)(?:"|$)
    | '(?P<single>(?:\\.|[^'\\])*)(?:'|$)
    | \{(?P<braces>(?:\\.|[^}\\])*)(?:\}|$)
    | \[(?P<brackets>(?:\\.|\[[^\]]*\]|[^\]\\\[])*)(?:\]|$)
    | (?P<space>\s+)
    | (?P<equals>=)
    | (?P<plain>[^\s=\\"'{\[]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BRACKETS = str.maketrans("[]", "  ")
_NUMBER_BEGINS = frozenset("+-.0123456789")
_NUMBER_ENDS = frozenset(".0123456789")
_FORTRAN = re.compile(r"([+-]?(?:\d+\.\d*|\.\d+))[dD]([+-]\d+)")
_JSON = "_JSON "
_TEXT_KEYS = {"uid", "UID", "Uid"}
_MATRIX_KEYS = {"virial", "stress"}
_TRUTHS = {
    **dict.fromkeys(("T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("F", "false", "False", "FALSE"), False),
}


def parse_comment(text: str) -> dict[str, Any]:
    """The values by key: ``int``, ``float``, ``bool``, ``str``, arrays, or what JSON says.

    Raises:
        BadContentError: if a key has two different values.
    """
    values: dict[str, Any] = {}
    for key, equals, quoted, plain, other in _SIMPLE.findall(text):
        if other or key in values:
            return _parse_any(text)
        values[key] = _value_of(key, quoted or plain if equals else "T")
    return values


def fortran_float(text: str) -> float:
    """A number whose exponent may be written with a D, as Fortran does.

    Raises:
        ValueError: if it is none.
    """
    return float(_FORTRAN.sub(r"\1e\2", text))


def _parse_any(text: str) -> dict[str, Any]:
    """The values of a comment line of any form."""
    values: dict[str, str] = {}
    for key, value in _pairs(text):
        if values.setdefault(key, value) != value:
            raise BadContentError(
                "unreadable",
                f'key "{key}" has two values in the comment line, {values[key]!r} and {value!r};'
                " remove one",
            )
    return {key: _value_of(key, value) for key, value in values.items()}


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs: list[list[str]] = []
    inside = waiting = False  # inside a word; behind an equals sign
    for match in _PIECE.finditer(text):
        kind = match.lastgroup or ""
        if kind == "space":
            inside = False
        elif kind == "equals":
            pairs = pairs or [[""]]
            pairs[-1].append("")
            waiting = True
        else:
            piece = _piece(kind, match[kind])
            if inside or waiting:
                pairs[-1][-1] += piece
            else:
                pairs.append([piece])
            inside, waiting = True, False
    return [(pair[0], "=".join(pair[1:]) if len(pair) > 1 else "T") for pair in pairs]


def _piece(kind: str, text: str) -> str:
    if kind == "brackets":
        text = text.translate(_BRACKETS)
    return text if kind in ("plain", "escaped") else _ESCAPE.sub(r"\1", text)


def _value_of(key: str, text: str) -> Any:
    if key in _TEXT_KEYS:
        return text
    if text.startswith(_JSON):
        return _json(text.removeprefix(_JSON))
    # Numbers differ from frame to frame, everything else repeats.
    if text[:1] in _NUMBER_BEGINS and text[-1:] in _NUMBER_ENDS:
        value = _numbers(text)
    else:
        value = _word(text)
    if key in _MATRIX_KEYS and isinstance(value, np.ndarray) and value.shape == (9,):
        return value.reshape(3, 3, order="F")
    return value


def _numbers(text: str) -> int | float | np.ndarray | str:
    """A number or an array of several; the text itself if it is something else."""
    words = _words(text)
    if not words:
        return text
    values: list[Any] | None = _integers(words) if "." not in text else None
    if values is None:
        values = _floats(words)
    if values is None:
        return text
    return values[0] if len(values) == 1 else np.array(values)


def _floats(words: list[str]) -> list[float] | None:
    try:
        return list(map(float, words))
    except ValueError:
        pass
    try:
        return list(map(fortran_float, words))
    except ValueError:
        return None


def _integers(words: list[str]) -> list[int] | None:
    """Integers; ``None`` if some are none, or too large for an array and so floats as in ASE."""
    try:
        values = list(map(int, words))
    except ValueError:
        return None
    return values if all(-(2**63) <= value < 2**63 for value in values) else None


@lru_cache(maxsize=1 << 12)
def _word(text: str) -> Any:
    value = _numbers(text)
    if value is text:
        value = _truths(text)
    if isinstance(value, np.ndarray):
        value.setflags(write=False)  # frames share it
    return value


def _truths(text: str) -> bool | np.ndarray | str:
    words = _words(text)
    if not words or not _TRUTHS.keys() >= set(words):
        return text
    truths = [_TRUTHS[word] for word in words]
    return truths[0] if len(truths) == 1 else np.array(truths)


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        raise BadContentError(
            "unreadable", f"the comment line has a _JSON value that is not JSON: {text[:40]!r}"
        ) from None
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        return value
    return array if array.dtype.kind in "ifb" else value


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
