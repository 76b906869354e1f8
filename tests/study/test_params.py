"""What of a config decides whether a result is made again."""

from mlip_core.physics.config import EquationOfStateConfig
from mlip_core.study.params import ConfigParams


def test_job_gets_all_values_and_defaults_are_not_compared() -> None:
    default, given = EquationOfStateConfig(), EquationOfStateConfig(points=7)
    assert ConfigParams(given) == given.model_dump(mode="json")
    assert repr(ConfigParams(default)) == repr(ConfigParams(EquationOfStateConfig(points=9)))
    assert repr(ConfigParams(default)) == "{}"
    assert repr(ConfigParams(given)) == "{'points': 7}"


def test_what_a_job_makes_no_use_of_is_left_out() -> None:
    """The reference of a check is not measured again for other thresholds, or new defaults."""
    gates = EquationOfStateConfig.gates
    strict = ConfigParams(EquationOfStateConfig(points=7, max_volume_error_percent=1), gates)
    assert strict.keys() == EquationOfStateConfig.model_fields.keys() - gates
    assert repr(strict) == "{'points': 7}"
