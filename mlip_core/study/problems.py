"""What is wrong with a config, line by line: which key, which value, what is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mlip_core.study.descriptions import describe_field
from mlip_core.utils.secrets import without_secrets

Path = tuple[str | int, ...]

# In the words of a study file, not of Python, for the beginnings of pydantic's names of errors.
_EXPECTED = {
    "bool": "should be true or false",
    "dict": "should be a table of keys and values",
    "float": "should be a number",
    "int": "should be a whole number",
    "list": "should be a list, as in [a, b]",
    "model": "should be a table of keys and values",
    "string_type": "should be a text",
    "tuple": "should be a list, as in [a, b]",
}


def describe_problems(
    error: ValidationError, model: type[BaseModel], data: Mapping[Any, Any]
) -> list[str]:
    """One line for each problem in ``data``, which ``model`` refused.

    A line names the full path of the key, the value, what is allowed and the nearest spelling. The
    alternatives of a union, which pydantic reports one by one, are put together in one line.
    """
    lines: dict[Path, list[str]] = {}
    for entry in error.errors(include_url=False):
        path = _path_in(data, entry, model)
        alternatives = lines.setdefault(path, [])
        text = _describe(entry, path, model, data)
        if text not in alternatives:
            alternatives.append(text)
    return [
        ": ".join(filter(None, [format_path(path), _join(alternatives)]))
        for path, alternatives in lines.items()
        if not any(_is_below(path, other) for other in lines)
    ]


def _is_below(path: Path, other: Path) -> bool:
    """Whether something in a table is wrong: then it is not wrong to be a table."""
    return len(other) > len(path) and other[: len(path)] == path


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


def _path_in(data: Any, entry: Any, model: type[BaseModel]) -> Path:
    """The key that an error is about: the part of its location that are keys of the data.

    Pydantic adds the names of a union's alternatives and a mark for keys.
    """
    location = list(entry["loc"])
    absent = [location.pop()] if entry["type"] == "missing" else []
    path: Path = ()
    for depth, part in enumerate(location, start=1):
        # Only the last key can be one that the models do not have.
        fields = list(_keys_at(model, path, data))
        if _has(_value(data, path), part) and (
            part in fields or not fields or depth == len(location)
        ):
            path += (part,)
    if entry["type"] == "union_tag_invalid":
        absent = [_discriminator(entry)]
    return (*path, *absent)


def _has(data: Any, key: str | int) -> bool:
    if isinstance(data, list):
        return key in range(len(data))
    return isinstance(data, Mapping) and key in data


def _value(data: Any, path: Path) -> Any:
    """What stands at a path, ``None`` if nothing does."""
    for part in path:
        data = data[part] if _has(data, part) else None
    return data


def _discriminator(entry: Any) -> str:
    """The key that should say which alternative of a union is meant."""
    return str(entry["ctx"]["discriminator"]).strip("'")


def _describe(entry: Any, path: Path, model: type[BaseModel], data: Mapping[Any, Any]) -> str:
    value, message = entry["input"], _expected(entry["type"]) or entry["msg"]
    if entry["type"] == "extra_forbidden":
        return _describe_unknown(path, model, data)
    if entry["type"] == "missing":
        return f"missing{_description_at(model, path, data)}"
    if entry["loc"][-1:] == ("[key]",):
        message = message.removeprefix("Value error, ")
        return f"the key {message}" if message.startswith("should") else message
    if entry["type"] == "union_tag_invalid":
        return _refuse_word(value[_discriminator(entry)], entry["ctx"]["expected_tags"])
    if entry["type"] in ("literal_error", "enum"):
        return _refuse_word(value, entry["ctx"]["expected"])
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    message = message.removeprefix(f"{format_path(path[-1:])} ")
    if isinstance(value, dict | list) or message.startswith(repr(value)):
        return message
    if isinstance(value, str) and "://" in value:
        value = without_secrets(value)
    return f"{value!r} {message}" if message.startswith("should") else f"{value!r}: {message}"


def _expected(error: str) -> str | None:
    """What kind of value should be there, if an error is about that."""
    return _EXPECTED.get(error) or _EXPECTED.get(error.partition("_")[0])


def _describe_unknown(path: Path, model: type[BaseModel], data: Mapping[Any, Any]) -> str:
    allowed = list(_keys_at(model, path[:-1], data))
    kinds = [
        f" for {name} {constant!r}"
        for found in _models_at(model, path[:-1], data)
        for name, constant in _constants(found).items()
    ]
    return (
        f"unknown key{''.join(kinds)}{nearest(path[-1], allowed)} (allowed: {', '.join(allowed)})"
    )


def _refuse_word(value: object, expected: str) -> str:
    """For a value that is none of the words that pydantic lists."""
    words = expected.replace("'", "").replace(" or ", ", ").split(", ")
    return f"{value!r} is not allowed{nearest(value, words)} (allowed: {', '.join(words)})"


def _join(alternatives: list[str]) -> str:
    """``["0 should be a", "0 should be b"]`` as ``"0 should be a, or be b"``."""
    first, *others = alternatives
    return ", or ".join([first, *(text.rpartition(" should ")[2] for text in others)])


def _keys_at(model: type[BaseModel], path: Path, data: Any) -> Iterator[str]:
    for found in _models_at(model, path, data):
        yield from found.model_fields


def _description_at(model: type[BaseModel], path: Path, data: Any) -> str:
    for found in _models_at(model, path[:-1], data):
        if path[-1] in found.model_fields and (text := describe_field(found, str(path[-1]))):
            return f" ({text.split('.')[0].strip()})"
    return ""


def _models_at(annotation: Any, path: Path, data: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models that may stand at a path below a type annotation.

    Of alternatives that differ in a constant, such as ``architecture``, that which ``data`` names.
    """
    if get_origin(annotation) is Annotated:
        yield from _models_at(get_args(annotation)[0], path, data)
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _models_at(member, path, data)
    elif get_origin(annotation) in (dict, list, tuple):
        if path:
            yield from _models_at(get_args(annotation)[-1], path[1:], _value(data, path[:1]))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path and _is_named(annotation, data):
            yield annotation
        elif path and path[0] in annotation.model_fields:
            field = annotation.model_fields[str(path[0])]
            yield from _models_at(field.annotation, path[1:], _value(data, path[:1]))


def _is_named(model: type[BaseModel], data: Any) -> bool:
    """Whether the data, or its defaults, have the constants of a model."""
    return all(
        (data[name] if _has(data, name) else model.model_fields[name].default) == constant
        for name, constant in _constants(model).items()
    )


def _constants(model: type[BaseModel]) -> dict[str, Any]:
    """The values of the fields that can have one value only."""
    allowed = {
        name: get_args(field.annotation)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is Literal
    }
    return {name: words[0] for name, words in allowed.items() if len(words) == 1}
