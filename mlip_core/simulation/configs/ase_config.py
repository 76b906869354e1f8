"""Settings of simulations with ASE."""

import logging
from typing import Self

from pydantic import PositiveInt, model_validator

from mlip_core.simulation.configs.simulation_config import SimulationConfig

_logger = logging.getLogger(__name__)

# Up to so many steps loggers are called every tenth, then every thousandth.
LONG_SIMULATION_STEPS = 1000
SHORT_INTERVAL = 10
LONG_INTERVAL = 1000


class ASESimulationConfig(SimulationConfig):
    """Settings of the engine that uses ASE, besides those of the base class.

    Attributes:
        log_interval: loggers are called each so many steps; by default 10 for fewer than 1000
            steps, otherwise 1000.
    """

    log_interval: PositiveInt | None = None

    @model_validator(mode="after")
    def validate_log_interval(self) -> Self:
        """Choose the interval if none is given."""
        if self.log_interval is None:
            is_long = self.num_steps >= LONG_SIMULATION_STEPS
            self.log_interval = LONG_INTERVAL if is_long else SHORT_INTERVAL
        return self

    @model_validator(mode="after")
    def validate_snapshot_interval(self) -> Self:
        """Warn if the last step will not be among the snapshots."""
        if self.num_steps % self.snapshot_interval:
            _logger.warning(
                "snapshot_interval %d does not divide num_steps %d: the last step is not kept",
                self.snapshot_interval,
                self.num_steps,
            )
        return self
