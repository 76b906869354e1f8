"""Settings that all simulations share."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from mlip_core.simulation.enums import MDIntegrator, SimulationType, TemperatureScheduleMethod

ThreeLengths = Annotated[list[PositiveFloat], Field(min_length=3, max_length=3)]


class TemperatureScheduleConfig(BaseModel):
    """How the temperature of dynamics changes.

    Attributes:
        method: constant, linear from start to end of the simulation, or a triangle wave.
        temperature: K, of the constant schedule; that of the simulation if not given.
        start_temperature: K, of the linear schedule.
        end_temperature: K, of the linear schedule, reached with the last step.
        max_temperature: K, of the triangle wave.
        min_temperature: K, of the triangle wave, which starts with it.
        heating_period: steps of one period of the triangle wave, half of them heating.
    """

    model_config = ConfigDict(extra="forbid")

    method: TemperatureScheduleMethod = TemperatureScheduleMethod.CONSTANT
    temperature: PositiveFloat | None = None
    start_temperature: PositiveFloat | None = None
    end_temperature: PositiveFloat | None = None
    max_temperature: PositiveFloat | None = None
    min_temperature: PositiveFloat | None = None
    heating_period: PositiveInt | None = None


class SimulationConfig(BaseModel):
    """What all engines need to know.

    Attributes:
        simulation_type: dynamics or minimisation.
        num_steps: number of steps; of a minimisation, the most.
        snapshot_interval: each so-many-th step is kept in the state.
        box: sides, Å, of an orthorhombic periodic cell for structures that are not periodic.
        edge_capacity_multiplier: head-room for edges before the model is compiled anew, at least 1.
        timestep_fs: time step of dynamics, fs, and the first one of the FIRE minimisation.
        temperature_kelvin: K, of the velocities that dynamics start with unless the structure has
            velocities, and of the thermostat unless there is a schedule.
        temperature_schedule_config: temperatures of the thermostat.
        friction: of the Langevin thermostat, in inverse ASE units of time (1/10.18 fs).
        max_force_convergence_threshold: eV/Å, the longest force with which a minimisation ends.
        md_integrator: Langevin dynamics at constant temperature, or velocity Verlet at constant
            energy.
        random_seed: decides the initial velocities and the thermostat's noise.
    """

    model_config = ConfigDict(extra="forbid")

    simulation_type: SimulationType = SimulationType.MD
    num_steps: PositiveInt
    snapshot_interval: PositiveInt = 1
    box: PositiveFloat | ThreeLengths | None = None
    edge_capacity_multiplier: float = Field(default=1.25, ge=1)
    timestep_fs: PositiveFloat | None = 1.0
    temperature_kelvin: PositiveFloat | None = 300.0
    temperature_schedule_config: TemperatureScheduleConfig = Field(
        default_factory=TemperatureScheduleConfig, validate_default=True
    )
    friction: PositiveFloat | None = 0.1
    max_force_convergence_threshold: PositiveFloat | None = None
    md_integrator: MDIntegrator = MDIntegrator.NVT_LANGEVIN
    random_seed: int = 42

    @model_validator(mode="after")
    def _complete_schedule(self) -> Self:
        """A constant schedule without a temperature of its own has that of the simulation."""
        schedule = self.temperature_schedule_config
        is_constant = schedule.method is TemperatureScheduleMethod.CONSTANT
        if is_constant and schedule.temperature is None:
            self.temperature_schedule_config = schedule.model_copy(
                update={"temperature": self.temperature_kelvin}
            )
        return self

    @model_validator(mode="after")
    def _dynamics_are_complete(self) -> Self:
        if self.simulation_type is not SimulationType.MD:
            return self
        needed = {"timestep_fs": self.timestep_fs, "temperature_kelvin": self.temperature_kelvin}
        if self.md_integrator is MDIntegrator.NVT_LANGEVIN:
            needed["friction"] = self.friction
        for name, value in needed.items():
            if value is None:
                raise ValueError(f"dynamics need {name}")
        return self
