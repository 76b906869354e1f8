"""The tiny study, run once for all tests that look at it or change a copy of it."""

import pytest

from tests.workflow.tiny_study import StudyDirectory


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyDirectory:
    """The tiny study, finished; not to be changed."""
    study = StudyDirectory(tmp_path_factory.mktemp("finished"))
    study.configure()
    result = study.snakemake()
    assert result.status == 0, result.output
    return study
