"""The claims of the benchmarks of learning are about runs that their studies have."""

import pytest
import yaml

from benchmarks.learning.studies import CLAIMS, ROOT
from mlip_core.study.config import load_study


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_are_about_runs_of_their_study(name: str) -> None:
    claim = CLAIMS[name]
    study = load_study(yaml.safe_load((ROOT / claim.config).read_text()))
    assert {*claim.runs} <= study.runs.keys()
    assert {claim.better, claim.worse} <= {*claim.runs}
    assert claim.testset in study.evaluated_sets
