"""A study with the jobs that the tiny one does without."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.study import Study
from mlip_core.reference import write_extxyz
from mlip_core.utils.files import file_digest
from tests.web_server import web_server
from tests.workflow.test_mistakes import ethane
from tests.workflow.tiny_study import grow, write_pool

RemoteFile = dict[str, str]

GROWN = (
    "all",
    "select",
    "results/evaluation/grown-r1/physics/calibration.json",
    "results/evaluation/emt/far/metrics.json",
    "results/evaluation/small/cost.json",
)
"""What to make of it."""


@contextmanager
def serving(directory: Path) -> Iterator[RemoteFile]:
    """Serve a file of labelled structures; where it is and its checksum."""
    path = directory / "far.xyz"
    write_extxyz(path, [ethane(0.01 * index, labelled=True) for index in range(5)])
    with web_server(directory) as server:
        yield {"url": f"{server.url}/{path.name}", "sha256": file_digest(path)}


def growing(path: Path, file: RemoteFile) -> Study:
    """A study with a round of active learning, a baseline, costs and a test set from afar."""

    def change(mapping: dict[str, Any]) -> None:
        grow("spread", 2)(mapping)
        mapping["testsets"] = {"far": {"files": [file]}}
        emt = {"dataset": "ethane", "calculator": {"calculator": "emt"}, "energy_shift": "fit"}
        mapping["baselines"] = {"emt": emt}
        mapping["cost"] = {}

    study = Study.new(path, change=change)
    write_pool(path)
    return study
