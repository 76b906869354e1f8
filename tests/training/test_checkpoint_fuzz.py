"""Checkpoints changed by chance: the one before is used, or none, and never a changed one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from mlip_core.training.resume_checkpoints import ResumeCheckpoints, ResumePoint
from tests.fuzzing import EDITS, edited, number_of_cases, run

STATE = {"params": np.arange(1000, dtype=np.float32), "step": np.array(7)}
RECORD = {"epoch": 3, "history": [{"loss": 0.25}]}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sound") / "resume"
    checkpoints = ResumeCheckpoints(directory)
    for position in (1, 2):
        record = RECORD | {"position": position}
        checkpoints.save(position, ResumePoint({"state": STATE}, {"sum": np.ones(())}, record))
    return directory


@number_of_cases(25, 500)
def test_bytes(sound: Path, tmp_path: Path, cases: int) -> None:
    directory = shutil.copytree(sound, tmp_path / "resume")
    files = sorted(p.relative_to(directory) for p in (directory / "2").rglob("*") if p.is_file())

    def check(case: tuple[Path, list[tuple[float, int, bytes]]]) -> None:
        file, edits = case
        content = (sound / file).read_bytes()
        (directory / file).write_bytes(edited(content, edits))
        point = ResumeCheckpoints(directory).restore({"state": STATE}, lambda record: True)
        (directory / file).write_bytes(content)
        assert point is not None
        assert point.record in (RECORD | {"position": 1}, RECORD | {"position": 2})
        np.testing.assert_array_equal(point.arrays["state"]["params"], STATE["params"])

    run(st.tuples(st.sampled_from(files), EDITS), check, cases)
