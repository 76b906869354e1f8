"""What a config key means: the description of its field, or its line in the class's docstring."""

import inspect
import re

from pydantic import BaseModel

_ENTRY = re.compile(r"^ {4}(\w+)(?: \(.*?\))?: ?(.*)$")


def describe_field(model: type[BaseModel], name: str) -> str:
    """The meaning of a field in one paragraph; empty if nothing is said about it."""
    if description := model.model_fields[name].description:
        return description
    for base in model.__mro__:
        if text := _attributes(base.__doc__ or "").get(name):
            return text[0].upper() + text[1:]
    return ""


def describe_model(model: type[BaseModel]) -> str:
    """The first paragraph of the docstring."""
    return " ".join(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].split())


def _attributes(docstring: str) -> dict[str, str]:
    """The entries of the ``Attributes:`` section of a docstring in Google's style."""
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    entries: dict[str, list[str]] = {}
    name = None
    for line in section.splitlines():
        if match := _ENTRY.match(line):
            name = match[1]
            entries[name] = [match[2]]
        elif line.startswith(" " * 8) and name:
            entries[name].append(line)
        elif line.strip():
            break
    return {name: " ".join(" ".join(lines).split()) for name, lines in entries.items()}
