"""What is wrong with a config, line by line: which key, which value, what is allowed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mlip_core.study.descriptions import describe_field

Path = tuple[str | int, ...]


def describe_problems(
    error: ValidationError, model: type[BaseModel], data: Mapping[Any, Any]
) -> list[str]:
    """One line for each problem in ``data``, which ``model`` refused.

    A line names the full path of the key, the value, what is allowed and the nearest spelling. The
    alternatives of a union, which pydantic reports one by one, are put together in one line.
    """
    lines: dict[Path, list[str]] = {}
    for entry in error.errors(include_url=False):
        path = _path_in(data, entry["loc"], missing=entry["type"] == "missing")
        alternatives = lines.setdefault(path, [])
        text = _describe(entry, path, model)
        if text not in alternatives:
            alternatives.append(text)
    return [
        ": ".join(filter(None, [format_path(path), _join(alternatives)]))
        for path, alternatives in lines.items()
    ]


def format_path(path: Iterable[str | int]) -> str:
    """``("datasets", "water", "files", 0)`` as ``datasets.water.files[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: object, allowed: Iterable[str]) -> str:
    """``", did you mean 'energy'?"``, or nothing if no allowed word is like it."""
    by_lower_case = {candidate.lower(): candidate for candidate in allowed}
    lower = str(word).lower()
    close = get_close_matches(lower, by_lower_case, n=1)
    close = close or [candidate for candidate in by_lower_case if lower in candidate]
    return f", did you mean {by_lower_case[close[0]]!r}?" if close else ""


def _path_in(data: Any, location: Sequence[str | int], missing: bool) -> Path:
    """The part of an error's location that are keys of the data.

    Pydantic adds the names of a union's alternatives and a mark for keys.
    """
    path: list[str | int] = []
    for part in location[:-1] if missing else location:
        if part in (data if isinstance(data, Mapping) else range(_length(data))):
            data = data[part]
            path.append(part)
    return tuple(path) + ((location[-1],) if missing else ())


def _length(data: Any) -> int:
    return len(data) if isinstance(data, list) else 0


def _describe(entry: Any, path: Path, model: type[BaseModel]) -> str:
    value, message = entry["input"], entry["msg"]
    if entry["type"] == "extra_forbidden":
        allowed = list(_keys_at(model, path[:-1]))
        return f"unknown key{nearest(path[-1], allowed)} (allowed: {', '.join(allowed)})"
    if entry["type"] == "missing":
        return f"missing{_description_at(model, path)}"
    if entry["loc"][-1:] == ("[key]",):
        return message.removeprefix("Value error, ")
    if entry["type"] in ("literal_error", "enum"):
        words = entry["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{value!r} is not allowed{nearest(value, words)} (allowed: {', '.join(words)})"
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, dict | list):
        return message
    return f"{value!r} {message}" if message.startswith("should") else f"{value!r}: {message}"


def _join(alternatives: list[str]) -> str:
    """``["0 should be a", "0 should be b"]`` as ``"0 should be a, or be b"``."""
    first, *others = alternatives
    return ", or ".join([first, *(text.rpartition(" should ")[2] for text in others)])


def _keys_at(model: type[BaseModel], path: Path) -> Iterator[str]:
    for found in models_at(model, path):
        yield from found.model_fields


def _description_at(model: type[BaseModel], path: Path) -> str:
    for found in models_at(model, path[:-1]):
        if path[-1] in found.model_fields and (text := describe_field(found, str(path[-1]))):
            return f" ({text.split('.')[0].strip()})"
    return ""


def models_at(annotation: Any, path: Path) -> Iterator[type[BaseModel]]:
    """The pydantic models that may stand at a path below a type annotation."""
    if get_origin(annotation) is Annotated:
        yield from models_at(get_args(annotation)[0], path)
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from models_at(member, path)
    elif get_origin(annotation) in (dict, list, tuple):
        if path:
            yield from models_at(get_args(annotation)[-1], path[1:])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        elif path[0] in annotation.model_fields:
            yield from models_at(annotation.model_fields[str(path[0])].annotation, path[1:])
