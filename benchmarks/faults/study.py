"""A study that faults are injected into, and what came of it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.workflow.tiny_study import ROOT, Result, StudyDirectory

INJECT = Path(__file__).parent / "inject"
DEADLINE_SECONDS = 900.0

# Results that say when, where or how fast they were made; model cards, too.
_NEVER_THE_SAME = ("provenance.json", "timing.csv", "cost.json")
_NO_ARTIFACTS = {"logs", "benchmarks", "report", ".cache", "checkpoints"}


@dataclass
class Outcome:
    """What came of one kind of fault.

    Attributes:
        fault: what was done.
        injected: how often.
        alone: how often the same command, or the job that was tried again, went on without a word.
        told: how often one clear line said what to do, and doing it was enough.
        lost: what was lost, one entry each: artifacts that differ, tracebacks, studies that do not
            go on.
        messages: what was said, an example of each kind.
    """

    fault: str
    injected: int = 0
    alone: int = 0
    told: int = 0
    lost: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def note(self, result: Result) -> None:
        """One fault, and what Snakemake said when it came."""
        self.injected += 1
        if result.status == 0:
            self.alone += 1
            return
        self.told += 1
        if "Traceback" in result.output:
            self.lost.append(f"traceback: {_last_lines(result.output)}")
        if not (lines := said(result)):
            self.lost.append(f"no message: {_last_lines(result.output)}")
        self.messages += [line for line in lines[:1] if line not in self.messages]

    def compare(self, whole: Mapping[str, str], study: "Study") -> None:
        """Note every artifact that is not as in the undisturbed study."""
        found = study.artifacts()
        self.lost += [
            name for name in whole.keys() | found.keys() if found.get(name) != whole.get(name)
        ]


def said(result: Result) -> list[str]:
    """The lines in which a run of Snakemake says what is wrong."""
    words = ("error: ", "LockException", "ProtectedOutputException", "MissingOutputException")
    lines = (line.strip() for line in result.output.splitlines())
    return list(dict.fromkeys(line for line in lines if line.startswith(words)))


@dataclass(frozen=True)
class Study:
    """The tiny study in a directory of its own.

    Attributes:
        path: the directory.
        plan: faults that jobs inject into themselves (see ``inject``), if any.
    """

    path: Path
    plan: Path | None = None

    @classmethod
    def new(
        cls,
        path: Path,
        plan: Mapping[str, Any] | None = None,
        change: Callable[[dict[str, Any]], object] | None = None,
    ) -> "Study":
        """A study that has not begun: the tiny one, changed."""
        StudyDirectory(path).configure(change)
        return cls(path).with_plan(plan)

    def copy(self, path: Path) -> "Study":
        """The same state elsewhere, with the times of the files."""
        shutil.copytree(self.path, path, copy_function=shutil.copy2, symlinks=True)
        return Study(path)

    def with_plan(self, plan: Mapping[str, Any] | None) -> "Study":
        """The same directory with jobs that inject faults."""
        if plan is None:
            return Study(self.path)
        directory = self.path / "faults"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        (directory / "plan.json").write_text(json.dumps(plan))
        return Study(self.path, directory)

    def start(self, *arguments: str, prefix: tuple[str, ...] = (), out: str = "out") -> Any:
        """Start Snakemake in a process group of its own."""
        snakemake = (sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"))
        with open(self._output(out), "wb") as output:
            return subprocess.Popen(
                [*prefix, *snakemake, "--cores", "1", *arguments],
                cwd=self.path,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str, prefix: tuple[str, ...] = (), out: str = "out") -> Result:
        """Run Snakemake to its end."""
        process = self.start(*arguments, prefix=prefix, out=out)
        return self.finish(process, out)

    def finish(self, process: Any, out: str = "out") -> Result:
        """What a run that was started came to."""
        try:
            status = process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        return Result(status, self._output(out).read_text(encoding="utf-8"))

    def recover(self, outcome: Outcome, *arguments: str) -> None:
        """What the documentation says: unlock if need be, the same command, and do as told."""
        for _ in range(8):
            result = self.run(*arguments)
            if result.status == 0:
                return
            if any("LockException" in line for line in said(result)):
                self.run("--unlock")
            for line in said(result):
                _obey(self.path, line)
        outcome.lost.append(f"does not go on: {_last_lines(result.output)}")

    def artifacts(self) -> dict[str, str]:
        """SHA-256 of every result that is the same each time, by its path."""
        return {
            str(path.relative_to(self.path)): sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.path / "results").rglob("*"))
            if path.is_file()
            and path.name not in _NEVER_THE_SAME
            and _NO_ARTIFACTS.isdisjoint(path.relative_to(self.path / "results").parts)
            and not (path.suffix == ".md" or path.name.startswith("split-"))
            and path.parent.name != ".checksums"
        }

    def fired(self) -> list[str]:
        """What jobs did to themselves."""
        if self.plan is None:
            return []
        texts = (path.read_text() for path in sorted(self.plan.glob("fired-*")))
        return [text for text in texts if text]

    def measured(self) -> dict[str, dict[str, float]]:
        """How many changes of files a script makes and how long it takes, at most."""
        found: dict[str, dict[str, float]] = {}
        for path in (self.plan or self.path).glob("measured-*.json"):
            name, measured = path.name.split("-")[1], json.loads(path.read_text())
            known = found.setdefault(name, measured)
            found[name] = {key: max(known[key], value) for key, value in measured.items()}
        return found

    def _output(self, name: str) -> Path:
        """Where what Snakemake says goes: beside the directory, whose disk may be full."""
        return self.path.with_name(f"{self.path.name}.{name}")

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if n != "JAX_COMPILATION_CACHE_DIR"}
        paths = [str(ROOT)]
        if self.plan is not None:
            kept["FAULTS"] = str(self.plan)
            paths.insert(0, str(INJECT))
        return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def kill_group(process: Any) -> None:
    """End a process, its children and theirs, as a power cut does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: Any, seconds: float = 120.0) -> bool:
    """Whether something came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _obey(directory: Path, line: str) -> None:
    """Do what a message asks for: remove a file, run a command, end a process that still writes."""
    if "remove " in line:
        named = line.split("remove ")[1].split()[0].rstrip(",;")
        first = line.removeprefix("error: ").split(": ")[0]
        path = directory / (first if named == "it" else named)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if "or run find " in line:
        command = shlex.split(line.split("or run ")[1])
        subprocess.run(command, cwd=directory, check=True)
    if "(kill " in line:
        with suppress(ProcessLookupError):
            os.kill(int(line.split("(kill ")[1].split(")")[0]), signal.SIGKILL)


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-12:])[-600:]


def lines_of(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each outcome, for those who watch."""
    for one in outcomes:
        yield f"{one.fault}: {one.injected} injected, {len(one.lost)} lost"
