"""The benchmark's own arithmetic, tables and protocol; no peer is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from ase.io import read

from benchmarks.models.cases import (
    CUTOFF_ANGSTROM,
    Case,
    size_cases,
    standard_cases,
    write_large_cell,
)
from benchmarks.models.machine import Peaks
from benchmarks.models.measure import (
    COLD,
    MEMORY,
    Measured,
    Settings,
    choose,
    measure,
    participants_of,
)
from benchmarks.models.participants import OURS, PEERS, Participant
from benchmarks.models.statistics import Summary, ratio, seconds_of_batch, summarise
from benchmarks.models.table import comparison, failures, floors, format_seconds
from benchmarks.models.worker import WorkerError, running
from mlip_core.models.registry import network_class

ECHO = """
import os, sys
from protocol import serve

class Program:
    def __init__(self, case):
        print("noise on standard output")
        if case.get("fail"):
            raise RuntimeError("cannot build this")

    def describe(self):
        return {"parameters": 3}

    def run(self, task):
        return lambda: {"train": 10, "single": 1}[task]

    def cost(self, task):
        return {"flops": 2.0, "bytes": 8.0}

serve(Program)
"""


def summary(value: float) -> Summary:
    return Summary(value, value, value, 1)


class TestStatistics:
    def test_median_and_quartiles(self):
        assert summarise([5.0, 1.0, 2.0, 4.0, 3.0]) == Summary(3.0, 2.0, 4.0, 5)

    def test_single_value(self):
        assert summarise([2.0]) == Summary(2.0, 2.0, 2.0, 1)

    def test_nothing_measured(self):
        with pytest.raises(ValueError, match="nothing was measured"):
            summarise([])

    def test_step_of_fewer_structures_counts_as_slower(self):
        assert seconds_of_batch([1.0, 1.0], [10, 8], 10) == [1.0, 1.25]

    def test_ratio_is_of_medians(self):
        assert ratio(Summary(8.0, 1.0, 9.0, 3), Summary(2.0, 1.0, 100.0, 3)) == 4.0


class TestTables:
    results: ClassVar = {
        "acac-mace": {
            OURS.name: Measured(
                {"train": summary(0.02), COLD: summary(12.0), MEMORY: summary(2.0**30)},
                costs={"train": {"flops": 1e9, "bytes": 2e9}},
            ),
            "slow": Measured({"train": summary(0.3), COLD: summary(6.0)}),
            "fast": Measured({"train": summary(0.2), MEMORY: summary(2.0**31)}),
            "broken": Measured(failure="no such module"),
        }
    }

    def test_comparison(self):
        assert comparison(self.results).splitlines()[2:] == [
            "| acac-mace | training step | slow | 300 ms | 20 ms | 15.00 |",
            "| acac-mace | training step | fast | 200 ms | 20 ms | **10.00** |",
            "| acac-mace | first step, cold | slow | 6 s | 12 s | **0.50** |",
            "| acac-mace | peak memory | fast | 2048 MiB | 1024 MiB | **2.00** |",
        ]

    def test_comparison_without_peers_or_without_us(self):
        ours = {"case": {OURS.name: Measured({"train": summary(0.5)})}}
        peer = {"case": {"peer": Measured({"train": summary(0.5)})}}
        assert comparison(ours).splitlines()[2:] == ["| case | training step |  |  | 500 ms |  |"]
        assert comparison(peer).splitlines()[2:] == [
            "| case | training step | peer | 500 ms |  |  |"
        ]

    def test_floor_is_the_larger_of_operations_and_bytes(self):
        peaks = Peaks(flops=1e11, cached_bytes=4e11, memory_bytes=1e10)
        assert floors(self.results, peaks).splitlines()[2:] == [
            "| acac-mace | training step | 1.000 | 2.000 | 10 ms | 5 ms | 10 ms | 20 ms | 2.0 |"
        ]

    def test_failures(self):
        assert failures(self.results) == "- acac-mace, broken: no such module"

    def test_format_seconds(self):
        assert [format_seconds(t) for t in (0.00123, 0.5, 12.34, 360.4)] == [
            "1.23 ms",
            "500 ms",
            "12.3 s",
            "360 s",
        ]


class TestCases:
    @pytest.mark.parametrize("case", standard_cases() + size_cases(), ids=lambda c: c.name)
    def test_network_is_valid(self, case: Case):
        config = network_class(case.architecture).Config(**case.network)
        assert case.network.items() <= config.model_dump(mode="json").items()

    def test_names_differ(self):
        names = [case.name for case in standard_cases() + size_cases()]
        assert len(set(names)) == len(names)

    def test_json_survives_a_pipe(self, tmp_path: Path):
        content = standard_cases()[0].to_json(tmp_path, 2, "eager")
        assert json.loads(json.dumps(content)) == content
        assert content["file"] == str(tmp_path / "acac" / "train_300K.xyz")

    def test_large_cell(self, tmp_path: Path):
        write_large_cell(tmp_path / "cell.xyz")
        frames = read(tmp_path / "cell.xyz", ":")
        assert [len(frame) for frame in frames] == [512] * 4
        for frame in frames:
            assert min(frame.cell.lengths()) > 2 * CUTOFF_ANGSTROM
            assert frame.get_stress().shape == (6,)
            assert frame.get_forces().shape == (512, 3)


class TestParticipants:
    def test_choice_of_peers(self):
        assert choose([]) == [OURS]
        chosen = choose(["nequip"])
        assert chosen[0] == OURS
        assert {participant.peer for participant in chosen[1:]} == {"nequip"}

    def test_only_those_that_have_the_architecture(self):
        case = Case("visnet", {}, "acac")
        assert all("visnet" in p.architectures for p in participants_of(case, PEERS))

    @pytest.mark.parametrize("participant", [OURS, *PEERS], ids=lambda p: p.name)
    def test_files_are_there(self, participant: Participant):
        assert participant.runner.exists()
        if participant != OURS:
            lines = participant.runner.with_name("requirements.txt").read_text().splitlines()
            pins = [line for line in lines if not line.startswith("#")]
            assert participant.name.partition(",")[0].replace(" ", "==") in pins
            assert all("==" in pin and "/" not in pin for pin in pins)


def test_participant_without_environment_is_reported(tmp_path: Path):
    (peer,) = choose(["mlip01"])[1:]
    settings = Settings(data=tmp_path, caches=tmp_path, environments={"mlip01": tmp_path})
    results = measure(standard_cases()[0], [peer], ["train"], settings)
    assert results[peer.name].failure == "no environment of mlip01: make -C benchmarks env"
    assert not results[peer.name].quantities


class TestWorker:
    @pytest.fixture
    def participant(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Participant:
        runner = tmp_path / "runner.py"
        runner.write_text(ECHO)
        monkeypatch.setattr(Participant, "runner", runner)
        return Participant("echo", "echo", frozenset({"mace"}))

    def test_answers(self, participant: Participant):
        with running(Path(sys.executable), participant, {}, {}) as worker:
            assert worker.description == {"parameters": 3}
            seconds, structures = worker.run("train", 4)
            assert structures == [10] * 4
            assert len(seconds) == 4
            assert all(second >= 0 for second in seconds)
            assert worker.ask({"do": "cost", "task": "train"}) == {"flops": 2.0, "bytes": 8.0}
            assert worker.ask({"do": "memory"})["bytes"] > 2**20

    def test_failure_to_build(self, participant: Participant):
        with (
            pytest.raises(WorkerError, match="cannot build this"),
            running(Path(sys.executable), participant, {"fail": True}, {}),
        ):
            pass

    def test_failure_of_a_request(self, participant: Participant):
        with running(Path(sys.executable), participant, {}, {}) as worker:
            with pytest.raises(WorkerError, match="KeyError: 'evaluate'"):
                worker.run("evaluate", 1)
            with pytest.raises(WorkerError, match="exit code 1"):
                worker.run("train", 1)


def test_command_line_asks_for_data():
    environment = {name: value for name, value in os.environ.items() if name != "BENCHMARK_DATA"}
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.models"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "give --data or set BENCHMARK_DATA" in result.stderr
