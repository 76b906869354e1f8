"""What is evaluated: a run's model, a foreign model, or any calculator, each under its name.

JAX, which takes seconds to import, is there only if one of them needs it.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import BaseCalculator

from mlip_core.reference import CalculatorConfig, make_calculator

if TYPE_CHECKING:
    from mlip_core.models.force_field import ForceField


def load_entry(
    model: str | os.PathLike[str] | None = None, calculator: Mapping[str, Any] | None = None
) -> "ForceField | BaseCalculator":
    """The force field in a model zip, or a calculator.

    Args:
        model: path of the zip of a run or of a baseline, if it is one.
        calculator: else the calculator of a baseline, the values of a ``CalculatorConfig``.

    Raises:
        UserError: if the zip cannot be read, or the calculator not be made.
        ValueError: unless exactly one of the two is given.
    """
    if (model is None) == (calculator is None):
        raise ValueError("an entry is either a model or a calculator")
    if model is not None:
        from mlip_core.models.model_io import load_model

        return load_model(model)
    config = CalculatorConfig.model_validate(calculator)
    return make_calculator(config.calculator, config.arguments)


def entry_calculator(
    model: str | os.PathLike[str] | None = None, calculator: Mapping[str, Any] | None = None
) -> BaseCalculator:
    """As :func:`load_entry`, as an ASE calculator in any case."""
    entry = load_entry(model, calculator)
    if isinstance(entry, BaseCalculator):
        return entry
    from mlip_core.simulation.ase import ForceFieldCalculator

    return ForceFieldCalculator(entry)
