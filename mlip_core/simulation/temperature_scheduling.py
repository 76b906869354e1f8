"""Temperatures as functions of the step."""

from collections.abc import Callable

from mlip_core.simulation.configs.simulation_config import TemperatureScheduleConfig
from mlip_core.simulation.enums import TemperatureScheduleMethod
from mlip_core.utils.errors import UserError

Schedule = Callable[[int], float]


def get_temperature_schedule(
    temperature_schedule_config: TemperatureScheduleConfig, num_steps: int
) -> Schedule:
    """The schedule of a config.

    Args:
        temperature_schedule_config: its parameters.
        num_steps: length of the simulation.

    Raises:
        UserError: if a parameter that the method needs is missing.
    """
    config = temperature_schedule_config
    match config.method:
        case TemperatureScheduleMethod.CONSTANT:
            return constant_schedule(_given(config, "temperature"))
        case TemperatureScheduleMethod.LINEAR:
            return linear_schedule(
                _given(config, "start_temperature"), _given(config, "end_temperature"), num_steps
            )
        case TemperatureScheduleMethod.TRIANGLE:
            return triangle_schedule(
                _given(config, "max_temperature"),
                _given(config, "min_temperature"),
                int(_given(config, "heating_period")),
            )


def constant_schedule(temperature: float) -> Schedule:
    """The same temperature, K, at each step."""
    return lambda _: temperature


def linear_schedule(start_temperature: float, end_temperature: float, duration: int) -> Schedule:
    """From one temperature, K, to another within ``duration`` steps, and then no further."""
    slope = (end_temperature - start_temperature) / duration
    return lambda step: start_temperature + slope * min(step, duration)


def triangle_schedule(
    max_temperature: float, min_temperature: float, heating_period: int
) -> Schedule:
    """Up from the least temperature, K, and down again within each ``heating_period`` steps."""
    amplitude = max_temperature - min_temperature

    def schedule(step: int) -> float:
        phase = step % heating_period / heating_period
        return min_temperature + amplitude * (1.0 - abs(2.0 * phase - 1.0))

    return schedule


def _given(config: TemperatureScheduleConfig, name: str) -> float:
    value = getattr(config, name)
    if value is None:
        raise UserError(
            f"temperature_schedule_config: method {config.method.value!r} needs {name!r}"
        )
    return float(value)
