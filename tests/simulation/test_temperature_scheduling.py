"""Schedules, against values of the library whose API they have."""

import pytest

from mlip_core.simulation.configs import TemperatureScheduleConfig
from mlip_core.simulation.temperature_scheduling import get_temperature_schedule
from mlip_core.utils.errors import UserError

LINEAR = {"method": "linear", "start_temperature": 100.0, "end_temperature": 200.0}
TRIANGLE = {"method": "triangle", "max_temperature": 100.0, "min_temperature": 50.0}


@pytest.mark.parametrize(
    ("config", "steps", "expected"),
    [
        ({"temperature": 321.0}, [0, 5, 20], [321.0, 321.0, 321.0]),
        (LINEAR, [0, 1, 5, 9, 10, 11], [100, 110, 150, 190, 200, 200]),
        (
            TRIANGLE | {"heating_period": 10},
            [0, 1, 4, 5, 6, 10, 15],
            [50, 60, 90, 100, 90, 50, 100],
        ),
        (TRIANGLE | {"heating_period": 5}, range(6), [50, 70, 90, 90, 70, 50]),
    ],
)
def test_values(config, steps, expected):
    schedule = get_temperature_schedule(TemperatureScheduleConfig(**config), 10)
    assert [schedule(step) for step in steps] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("config", "name"),
    [({}, "temperature"), ({"method": "linear"}, "start_temp"), (TRIANGLE, "heating_period")],
)
def test_missing_parameter(config, name):
    with pytest.raises(UserError, match=f"needs '{name}"):
        get_temperature_schedule(TemperatureScheduleConfig(**config), 10)
