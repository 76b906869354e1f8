"""The shapes that docstrings state hold in every call that a test makes.

``[n_edges, 3]`` in the description of an argument or a result is what readers rely on. While tests
run, each documented function of the package is wrapped when its module is imported: jaxtyping
compares the arrays of a call with the docstring, equal names being equal lengths. Words that are
not names, such as ``2 l + 1``, stand for any length.
"""

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped, jaxtyped

PACKAGES = ("committee", "data", "evaluation", "inference", "models", "simulation", "training")

_SHAPE = re.compile(r"``\[([^]`]*)\]``")
_IN_BRACKETS = re.compile(rf"``(\w+)`` \({_SHAPE.pattern}")
_FROM_TO = re.compile(rf"{_SHAPE.pattern}[^`.]* to [^`.]*{_SHAPE.pattern}")

Alternatives = Sequence[Any]
"""Jaxtyping's types of the shapes that an array may have."""


class Shapes(NamedTuple):
    """What a docstring says about a call.

    Attributes:
        arguments: by name.
        result: of the returned array; empty if nothing is said.
    """

    arguments: dict[str, Alternatives]
    result: Alternatives


def documented_shapes(function: Callable[..., Any]) -> Shapes:
    """The shapes that the docstring of a function states."""
    docstring = inspect.cleandoc(function.__doc__ or "")
    head = docstring.partition("Args:\n")[0].partition("Returns:\n")[0]
    arguments = {name: _alternatives(text) for name, text in _entries(docstring)}
    arguments |= {name: [_as_type(shape)] for name, shape in _IN_BRACKETS.findall(head)}
    result = _alternatives(_section(docstring, "Returns"))
    if pair := _FROM_TO.search(head):
        first = next(name for name in inspect.signature(function).parameters if name != "self")
        return Shapes({first: [_as_type(pair[1])], **arguments}, [_as_type(pair[2])])
    if not result and len(_SHAPE.findall(head)) == 1 and "(``[" not in head:
        result = _alternatives(head)
    return Shapes({name: types for name, types in arguments.items() if types}, result)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, raising ``AssertionError`` where an array has not the documented shape."""
    shapes = documented_shapes(function)
    signature = inspect.signature(function)
    if not (shapes.arguments or shapes.result):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        with jaxtyped("context"):
            for name, types in shapes.arguments.items():
                _require(function, name, given.get(name), types)
            result = function(*args, **kwargs)
            _require(function, "the result", result, shapes.result)
        return result

    return call


def install() -> None:
    """Wrap the functions of all modules that are imported from now on."""
    sys.meta_path.insert(0, _Finder())


def _require(function: Any, name: str, value: Any, types: Alternatives) -> None:
    if not types or not hasattr(value, "shape") or isinstance(value, np.generic):
        return
    assert any(isinstance(value, one) for one in types), (
        f"{function.__module__}.{function.__qualname__}: the shape of {name} is {value.shape}; "
        f"its docstring says {' or '.join(one.dim_str for one in types)}"
    )


def _alternatives(text: str) -> Alternatives:
    """The shapes of one description if it states one, or several with "or" between them."""
    parts = _SHAPE.split(text)
    shapes, between = parts[1::2], parts[2:-1:2]
    return [_as_type(x) for x in shapes] if all(" or " in x for x in between) else []


def _as_type(shape: str) -> Any:
    return Shaped[Any, " ".join(_as_dimension(word.strip()) for word in shape.split(","))]


def _as_dimension(word: str) -> str:
    return word if word == "..." or word.isdecimal() or word.isidentifier() else "_"


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Names of arguments and their descriptions."""
    for entry in re.split(r"^ {4}(?=\w)", _section(docstring, "Args"), flags=re.MULTILINE):
        name, _, text = entry.partition(":")
        yield name, text


def _section(docstring: str, title: str) -> str:
    _, _, rest = docstring.partition(f"{title}:\n")
    return re.split(r"^\S", rest, maxsplit=1, flags=re.MULTILINE)[0]


class _Finder(MetaPathFinder):
    """Finds what the others find, with a loader that wraps functions."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not fullname.startswith(tuple(f"mlip_core.{name}" for name in PACKAGES)):
            return None
        others: Iterable[Any] = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        classes = [x for x in vars(module).values() if isinstance(x, type)]
        for owner in (module, *(x for x in classes if x.__module__ == module.__name__)):
            for name, value in list(vars(owner).items()):
                if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                    setattr(owner, name, checked(value))
