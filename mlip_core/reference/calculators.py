"""ASE calculators by import path, or by ASE's name."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from ase.calculators.calculator import BaseCalculator, get_calculator_class
from ase.calculators.names import names as names_of_ase

from mlip_core.utils.errors import UserError
from mlip_core.utils.secrets import with_secrets, without_secrets


def resolve_calculator(path: str) -> Callable[..., BaseCalculator]:
    """The calculator class, or function that makes a calculator.

    Args:
        path: where to import it from, or ASE's name of one of its own, e.g. ``emt``.

    Raises:
        UserError: if there is no such module, or nothing callable of that name in it.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name:
        return _named_by_ase(path)
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise UserError(
            f"calculator {path!r}: cannot import {module_name!r} ({error}); check the spelling, or "
            f"install the package into this environment (pip install {module_name.split('.')[0]})"
        ) from error
    calculator = getattr(module, name, None)
    if not callable(calculator):
        hint = _hint(module, name)
        raise UserError(f"calculator {path!r}: {module_name!r} has no {name!r}{hint}")
    return calculator


def make_calculator(path: str, arguments: dict[str, Any]) -> BaseCalculator:
    """A calculator made with the given keyword arguments; see :mod:`mlip_core.utils.secrets`.

    Raises:
        UserError: if the path leads to no calculator or the arguments are refused.
    """
    factory = resolve_calculator(path)
    filled = with_secrets(arguments)
    try:
        calculator = factory(**filled)
    except (TypeError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = without_secrets(str(error), arguments)
        raise UserError(
            f"calculator {path!r}: cannot be made with {arguments}: {reason}"
        ) from error
    if not hasattr(calculator, "get_property"):
        raise UserError(
            f"calculator {path!r}: gives {type(calculator).__name__!r}, which is no ASE calculator"
        )
    return calculator


def _named_by_ase(name: str) -> Callable[..., BaseCalculator]:
    if name not in names_of_ase:
        raise UserError(
            f"calculator {name!r}: neither an import path nor a name that ASE knows"
            f"{_nearest(name, names_of_ase)}; write package.module.Class, e.g. tblite.ase.TBLite"
        )
    try:
        return get_calculator_class(name)
    except ImportError as error:
        raise UserError(
            f"calculator {name!r}: {error}; install the package into this environment"
        ) from error


def _hint(module: object, name: str) -> str:
    return _nearest(name, [entry for entry in vars(module) if not entry.startswith("_")])


def _nearest(name: str, known: Iterable[str]) -> str:
    by_lower_case = {entry.lower(): entry for entry in known}
    close = get_close_matches(name.lower(), by_lower_case, n=1)
    return f", did you mean {by_lower_case[close[0]]!r}?" if close else ""
