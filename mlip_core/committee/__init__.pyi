from .calculator import CommitteeCalculator
from .calibration import calibrate
from .predictions import CommitteeValues, iterate_committee, load_committee
from .selection import select_frames

__all__ = [
    "CommitteeCalculator",
    "CommitteeValues",
    "calibrate",
    "iterate_committee",
    "load_committee",
    "select_frames",
]
