"""What all engines have in common."""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ase import Atoms

from mlip_core.models.force_field import ForceField
from mlip_core.simulation.configs.simulation_config import SimulationConfig
from mlip_core.simulation.state import SimulationState

Logger = Callable[[SimulationState], None]

_logger = logging.getLogger(__name__)


class SimulationEngine(ABC):
    """Runs a simulation and fills its state, which loggers see on the way.

    Args:
        atoms: the structure, or several where an engine allows it; not changed.
        force_field: the model.
        config: settings.

    Raises:
        UserError: if the model does not know an element.
        ValueError: if a structure has a single atom.

    Attributes:
        state: the trajectory so far.
    """

    Config: type[SimulationConfig] = SimulationConfig

    def __init__(self, atoms: Any, force_field: ForceField, config: SimulationConfig) -> None:
        self.state = SimulationState()
        self._loggers: list[Logger] = []
        self._initialize(atoms, force_field, config)

    @abstractmethod
    def _initialize(self, atoms: Atoms, force_field: ForceField, config: Any) -> None:
        """Set up what is particular to an engine."""

    @abstractmethod
    def run(self) -> None:
        """Go on until the last step, or until the simulation explodes."""

    @abstractmethod
    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Write all that decides how the simulation goes on (``.npz``, arrays only).

        Another engine for the same structures, model and time step that reads it goes on bit for
        bit as this one would, also to a later last step. Call it from a logger to write it again
        and again.
        """

    @abstractmethod
    def restore_state(self, path: str | os.PathLike[str]) -> None:
        """Go on from a file of :meth:`save_state`; call it before :meth:`run`.

        Raises:
            UserError: if the file is not one of this kind of engine for these atoms.
        """

    def attach_logger(self, logger: Logger) -> None:
        """Have a function called with the state again and again, after others attached before."""
        self._loggers.append(logger)

    def _call_loggers(self) -> None:
        for logger in self._loggers:
            logger(self.state)

    def _warn_of_explosion(self) -> None:
        _logger.warning("the simulation exploded: it ends after step %d", self.state.step)
