"""Run the tests of random hostile input at length and note how many cases there were.

``python -m benchmarks.faults.fuzz [arguments of pytest]``, as ``make fuzz`` does. Of each test only
the long form is run (see ``tests/fuzzing.py``).
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.table import RESULTS, write_tables

_INPUTS = {
    "test_readers_fuzz.py": "files of structures",
    "test_artifacts_fuzz.py": "files between jobs",
    "test_config_fuzz.py": "study files",
    "test_checkpoint_fuzz.py": "checkpoints",
    "test_model_zip_fuzz.py": "model zips",
}


class Counter:
    """A plugin of pytest that counts cases."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Note a test that has run."""
        report = yield
        if call.when == "call" and isinstance(item, pytest.Function):
            what = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
            name = f"{_INPUTS[Path(item.path).name]}: {what}"
            one = self.found.setdefault(name, {"cases": 0, "failed": 0})
            one["cases"] += item.callspec.params.get("cases", 0) if hasattr(item, "callspec") else 0
            one["failed"] += report.failed
        return report


def main() -> int:
    """The status of pytest."""
    counter = Counter()
    long = ["-m", "slow", "-k", "_fuzz", "tests"]
    status = pytest.main([*long, *sys.argv[1:]], plugins=[counter])
    path = RESULTS / "fuzz.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(dict(sorted((known | counter.found).items())), indent=1) + "\n")
    write_tables()
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
