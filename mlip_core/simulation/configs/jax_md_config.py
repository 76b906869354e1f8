"""Settings of simulations that run on the device."""

from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from mlip_core.simulation.configs.ase_config import (
    LONG_INTERVAL,
    LONG_SIMULATION_STEPS,
    SHORT_INTERVAL,
)
from mlip_core.simulation.configs.simulation_config import SimulationConfig


class JaxMDSimulationConfig(SimulationConfig):
    """Settings of the engine that runs on the device, besides those of the base class.

    Attributes:
        num_episodes: into how many parts of equal length the simulation is divided; after each
            the state is filled and loggers are called. By default 10 steps are an episode if there
            are fewer than 1000, otherwise 1000 steps.
        dtype: precision of network, velocities and displacements.
    """

    num_episodes: PositiveInt | None = None
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def validate_num_episodes(self) -> Self:
        """Choose the number if none is given; it has to divide the number of steps."""
        if self.num_episodes is None:
            is_long = self.num_steps >= LONG_SIMULATION_STEPS
            length = min(LONG_INTERVAL if is_long else SHORT_INTERVAL, self.num_steps)
            if self.num_steps % length:
                raise ValueError(
                    f"num_steps ({self.num_steps}) is not divisible by {length}: set num_episodes"
                )
            self.num_episodes = self.num_steps // length
        if self.num_steps % self.num_episodes:
            raise ValueError("Number of episodes must evenly divide total steps.")
        return self

    @model_validator(mode="after")
    def validate_snapshot_interval(self) -> Self:
        """Episodes have equally many snapshots."""
        if self.steps_per_episode % self.snapshot_interval:
            raise ValueError("Snapshot interval must evenly divide steps per episode.")
        return self

    @property
    def steps_per_episode(self) -> int:
        """Steps of an episode."""
        assert self.num_episodes is not None
        return self.num_steps // self.num_episodes
