"""The long simulations have models: their study is a valid one, with the runs that they ask for."""

import yaml

from benchmarks.endurance.__main__ import STUDY
from benchmarks.endurance.simulations import SUBJECTS
from mlip_core.study.config import load_study


def test_study_trains_what_is_simulated() -> None:
    study = load_study(yaml.safe_load(STUDY.read_text()))
    assert {subject.run for subject in SUBJECTS} == study.runs.keys()
