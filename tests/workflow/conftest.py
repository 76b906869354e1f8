"""The tiny study, run once for all tests that look at it or change a copy of it."""

import shutil

import pytest

from tests.workflow.tiny_study import StudyDirectory, add_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyDirectory:
    """The tiny study, finished; not to be changed."""
    study = StudyDirectory(tmp_path_factory.mktemp("finished"))
    study.configure()
    result = study.snakemake()
    assert result.status == 0, result.output
    return study


@pytest.fixture(scope="session")
def two(finished: StudyDirectory, tmp_path_factory: pytest.TempPathFactory) -> StudyDirectory:
    """The tiny study with a second run, of NequIP, finished; not to be changed."""
    directory = tmp_path_factory.mktemp("two") / "study"
    shutil.copytree(finished.path, directory, symlinks=True)
    study = StudyDirectory(directory)
    study.configure(lambda s: add_run(s, "nequip"))
    result = study.snakemake()
    assert result.status == 0, result.output
    return study
