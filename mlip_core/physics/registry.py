"""All physics checks by the names that they have in the study file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from ase import Atoms
from ase.calculators.calculator import BaseCalculator, CalculatorError

from mlip_core.physics.config import (
    CheckConfig,
    DimersConfig,
    EquationOfStateConfig,
    InvarianceConfig,
    NveConfig,
    RelaxationConfig,
    StabilityConfig,
    VibrationsConfig,
)
from mlip_core.physics.dimers import check_dimers
from mlip_core.physics.equation_of_state import check_equation_of_state, measure_equation_of_state
from mlip_core.physics.invariance import check_invariance
from mlip_core.physics.nve import check_nve
from mlip_core.physics.relaxation import check_relaxation
from mlip_core.physics.result import CheckResult
from mlip_core.physics.stability import check_stability
from mlip_core.physics.subject import Measurements, Subject
from mlip_core.physics.vibrations import check_vibrations, measure_vibrations
from mlip_core.utils.errors import UserError


class Check(NamedTuple):
    """A physics check.

    Attributes:
        title: what it is called on pages.
        config: the class of its settings.
        run: the check: calculator, subject, settings, seed.
        suits: whether it can look at a structure, with its settings.
        measure: what is compared with the reference calculator, if anything is: calculator,
            subject, settings. Settings that are gates do not change it.
    """

    title: str
    config: type[CheckConfig]
    run: Callable[[BaseCalculator, Subject, Any, int], CheckResult]
    suits: Callable[[Atoms, Any], bool]
    measure: Callable[[BaseCalculator, Subject, Any], Measurements] | None = None


def _has_several_atoms(atoms: Atoms, config: CheckConfig) -> bool:
    del config
    return len(atoms) > 1


def _is_solid(atoms: Atoms, config: CheckConfig) -> bool:
    del config
    return bool(atoms.pbc.all())


def _can_vibrate(atoms: Atoms, config: VibrationsConfig) -> bool:
    return 1 < len(atoms) <= config.max_atoms


def _always(atoms: Atoms, config: CheckConfig) -> bool:
    del atoms, config
    return True


CHECKS: dict[str, Check] = {
    "nve": Check("Dynamics at constant energy", NveConfig, check_nve, _has_several_atoms),
    "stability": Check(
        "Stability of dynamics", StabilityConfig, check_stability, _has_several_atoms
    ),
    "equation_of_state": Check(
        "Equation of state",
        EquationOfStateConfig,
        check_equation_of_state,
        _is_solid,
        measure_equation_of_state,
    ),
    "relaxation": Check("Relaxation", RelaxationConfig, check_relaxation, _has_several_atoms),
    "dimers": Check("Atoms pressed together", DimersConfig, check_dimers, _has_several_atoms),
    "invariance": Check("Invariance", InvarianceConfig, check_invariance, _always),
    "vibrations": Check(
        "Vibrations", VibrationsConfig, check_vibrations, _can_vibrate, measure_vibrations
    ),
}
"""The checks by the names of their settings in :class:`PhysicsConfig`."""


def run_check(
    name: str,
    load_calculator: Callable[[], BaseCalculator],
    subject: Subject,
    config: CheckConfig,
    seed: int,
) -> CheckResult:
    """Run a check on the structures that it can look at.

    Args:
        name: of the check.
        load_calculator: gives the potential; it is called if there is such a structure.
        subject: the structures and what else is known of the dataset.
        config: the check's settings.
        seed: decides all that is random.

    Raises:
        UserError: if the calculator fails.
    """
    suitable = _suitable(name, subject, config)
    if not suitable.structures:
        return CheckResult.not_applicable("No structure of the test set is one to check this on.")
    with _failure_in_one_line(name):
        return CHECKS[name].run(load_calculator(), suitable, config, seed)


def measure_reference(
    name: str, calculator: BaseCalculator, subject: Subject, config: CheckConfig
) -> Measurements:
    """What a check measures, by the reference calculator; empty if it measures nothing.

    Raises:
        UserError: if the calculator fails.
    """
    measure = CHECKS[name].measure
    if measure is None:
        return {}
    with _failure_in_one_line(f"{name}, reference calculator"):
        return measure(calculator, _suitable(name, subject, config), config)


def _suitable(name: str, subject: Subject, config: CheckConfig) -> Subject:
    suits = CHECKS[name].suits
    return replace(subject, structures=[a for a in subject.structures if suits(a, config)])


@contextmanager
def _failure_in_one_line(what: str) -> Iterator[None]:
    try:
        yield
    except CalculatorError as error:
        detail = " ".join(str(error).split())
        raise UserError(
            f"physics.{what}: the calculation failed ({detail}); change the check's settings, "
            "or leave it out with `null`"
        ) from error
