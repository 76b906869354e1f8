from .config import CostConfig, PhysicsConfig
from .cost import device_of, measure_cost
from .registry import CHECKS, Check, measure_reference, run_check
from .result import CheckResult, Plot, Quantity, write_result
from .subject import Subject, read_subject, relaxed_structures, write_subject

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "CostConfig",
    "PhysicsConfig",
    "Plot",
    "Quantity",
    "Subject",
    "device_of",
    "measure_cost",
    "measure_reference",
    "read_subject",
    "relaxed_structures",
    "run_check",
    "write_result",
    "write_subject",
]
