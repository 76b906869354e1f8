"""Settings of the dynamics at constant energy."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator


class NveConfig(BaseModel):
    """How the dynamics are run and what they have to hold.

    Attributes:
        temperature_kelvin: temperature the dynamics should have on average.
        time_fs: length of the trajectory.
        timestep_fs: time step of velocity Verlet.
        sample_interval_steps: energies are recorded every so many steps.
        start: ``"relaxed"`` minimises the energy first and puts twice the temperature into the
            velocities, since about half of it flows into the potential energy (equipartition);
            ``"given"`` starts from the structure as it is, with velocities of the temperature
            itself.
        relax_max_force_ev_per_angstrom: where the relaxation stops.
        relax_max_steps: where it stops at the latest; an unfinished relaxation is no failure.
        max_drift_mev_per_atom: the drift of the total energy over the trajectory that still passes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature_kelvin: PositiveFloat = 300.0
    time_fs: PositiveFloat = 1000.0
    timestep_fs: PositiveFloat = 0.5
    sample_interval_steps: PositiveInt = 2
    start: Literal["relaxed", "given"] = "relaxed"
    relax_max_force_ev_per_angstrom: PositiveFloat = 0.02
    relax_max_steps: int = Field(default=200, ge=0)
    max_drift_mev_per_atom: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _at_least_two_samples(self) -> Self:
        if self.num_steps < self.sample_interval_steps:
            raise ValueError("time_fs must cover at least one sample_interval_steps * timestep_fs")
        return self

    @property
    def num_steps(self) -> int:
        """Number of time steps."""
        return round(self.time_fs / self.timestep_fs)
