"""The kinds of faults, each a function of an undisturbed study that gives outcomes."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.damage import DAMAGES, flip_a_bit, newest_checkpoint
from benchmarks.faults.growing import GROWN, growing, serving
from benchmarks.faults.study import Outcome, Study, kill_group, wait_for

MODEL = "results/models/small.zip"
# What the rules of some scripts make.
OUTPUTS = {
    "check": "results/datasets/ethane/quality.json",
    "split": "results/datasets/ethane/splits/split.json",
    "dataset_info": "results/datasets/ethane/dataset_info.json",
    "train": MODEL,
    "evaluate": "results/evaluation/small/test/metrics.json",
}
# Address space, MiB, that is not enough to import what a script needs, or to do its work.
TOO_LITTLE = {"check": 230, "train": 600, "evaluate": 600}
# A clock that is set does not move the monotonic one, on which threads wait for each other.
_OTHER_CLOCK = ("env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f")
# Without enough memory, OpenBLAS may try for ever.
AT_MOST_TWO_MINUTES = ("timeout", "--signal=KILL", "120")


@dataclass(frozen=True)
class Bench:
    """What every series works with.

    Attributes:
        whole: the undisturbed study, not to be changed.
        artifacts: of it.
        usual: changes of files and seconds of each script in it.
        directory: for studies of their own.
        seed: of all random moments.
        share: of the number of injections of a full run.
    """

    whole: Study
    artifacts: dict[str, str]
    usual: dict[str, dict[str, float]]
    directory: Path
    seed: int = 0
    share: float = 1.0

    def new(self, name: str) -> Study:
        """A study that has not begun."""
        return Study.new(self.directory / name)

    def finished(self, name: str) -> Study:
        """A copy of the undisturbed study."""
        return self.whole.copy(self.directory / name)

    def rng(self) -> random.Random:
        """Random numbers of a series, the same whichever others are run."""
        return random.Random(self.seed)  # noqa: S311

    def count(self, number: int) -> int:
        """How many injections of ``number`` in a full run."""
        return max(1, round(number * self.share))

    def end(self, study: Study, outcome: Outcome) -> Outcome:
        """Go on as documented, compare, and remove the study."""
        study.recover(outcome)
        outcome.compare(self.artifacts, study)
        shutil.rmtree(study.path, ignore_errors=True)
        return outcome


def killed_jobs(bench: Bench) -> Iterator[Outcome]:
    """SIGKILL of each rule's process; Snakemake tries the job again, as on a cluster."""
    yield _kill_each(bench, bench.new("killed_jobs"), bench.usual, bench.artifacts)


def killed_rare_jobs(bench: Bench) -> Iterator[Outcome]:
    """The same for what only downloads, baselines, committees and growing datasets need."""
    with serving(bench.directory / "served") as file:
        whole = growing(bench.directory / "growing", file).with_plan({"measure": True})
        result = whole.run(*GROWN)
        if result.status != 0:
            raise RuntimeError(result.output)
        usual = {name: one for name, one in whole.measured().items() if name not in bench.usual}
        study = growing(bench.directory / "killed_rare_jobs", file)
        yield _kill_each(bench, study, usual, whole.artifacts(), GROWN)


def _kill_each(
    bench: Bench,
    study: Study,
    usual: dict[str, dict[str, float]],
    artifacts: dict[str, str],
    targets: Sequence[str] = (),
) -> Outcome:
    """Kill the jobs of some scripts, some times each, and go on."""
    kills = bench.count(6)
    plan = {"kills": dict.fromkeys(usual, kills), "usual": usual, "seed": bench.seed}
    study = study.with_plan(plan)
    result = study.run("--retries", str(kills), "--", *targets)
    fired = study.fired()
    outcome = Outcome(f"SIGKILL of a job, each of {len(usual)} scripts; tried again")
    outcome.injected = outcome.alone = len(fired)
    if result.status != 0:
        outcome.lost.append("Snakemake gave up")
    study.recover(outcome, *targets)
    outcome.compare(artifacts, study)
    shutil.rmtree(study.path, ignore_errors=True)
    return outcome


def killed_once(bench: Bench) -> Iterator[Outcome]:
    """SIGKILL of a job without another try, as the kernel does when memory runs out."""
    outcome = Outcome("SIGKILL of a job; the same command again")
    scripts = sorted(bench.usual)
    bench.rng().shuffle(scripts)
    study = bench.new("killed_once")
    for script in scripts[: bench.count(8)]:
        plan = {"kills": {script: 1}, "usual": bench.usual, "seed": bench.seed + 1}
        study = study.with_plan(plan)
        result = study.run()
        if study.fired():
            outcome.injected += 1
            outcome.told += result.status != 0 and "SIGKILL" in result.output
    yield bench.end(study, outcome)


def killed_snakemake(bench: Bench) -> Iterator[Outcome]:
    """SIGKILL of Snakemake with all jobs (a power cut), and of Snakemake alone."""
    rng = bench.rng()
    for alone in (False, True):
        who = "Snakemake alone, its jobs live on" if alone else "Snakemake with its jobs"
        outcome = Outcome(f"SIGKILL of {who}; --unlock, the same command")
        study, groups = bench.new(f"killed_snakemake_{alone}"), []
        for _ in range(bench.count(10)):
            process = study.start()
            groups.append(process)
            time.sleep(rng.uniform(2.0, 9.0))
            if process.poll() is not None and not _clear(study, process, outcome):
                break
            outcome.injected += 1
            if alone:
                process.kill()
                process.wait()
            else:
                kill_group(process)
            outcome.told += 1
            study.run("--unlock")
        bench.end(study, outcome)
        for process in groups:
            kill_group(process)
        yield outcome


def _clear(study: Study, process: subprocess.Popen[bytes], outcome: Outcome) -> bool:
    """Whether a run that ended by itself did so on an orphan; which is ended, as it says."""
    result = study.finish(process)
    if result.status != 0:
        study.recover(outcome)
    return result.status != 0


def full_disk(bench: Bench) -> Iterator[Outcome]:
    """A disk that is full again and again, with a little more room each time.

    First that of the results alone, then one that Snakemake's own files are on as well.
    """
    for whose, kib in (("results", 48.0), (".", 120.0)):
        files = "all files" if whose == "." else whose
        outcome = Outcome(f"full disk of {files}; the same command with more room")
        path = bench.directory / f"full_disk_{whose.strip('.')}"
        with _mounted(path / whose, "tmpfs", f"size={kib:.0f}k"):
            study = Study.new(path)
            while kib < 64_000:
                result = study.run()
                if result.status == 0:
                    break
                outcome.note(result)
                kib *= 1.25 ** (1 / bench.share)
                _call("mount", "-o", f"remount,size={kib:.0f}k", str(path / whose))
                study.run("--unlock")
            study.recover(outcome)
            outcome.compare(bench.artifacts, study)
        yield outcome


def read_only(bench: Bench) -> Iterator[Outcome]:
    """Directories that may not be written, one after the other, and then may."""
    outcome = Outcome("read-only directory; the same command when it may be written")
    cases = {
        "results/datasets": "results/datasets/ethane/quality.json",
        "results/runs": MODEL,
        "results/models": MODEL,
        "results/logs": "results/datasets/ethane/quality.json",
        "results/evaluation": "results/evaluation/small/test/metrics.json",
        "results/report": "results/report/index.html",
    }
    study = bench.finished("read_only")
    for directory, target in list(cases.items())[: bench.count(len(cases))]:
        path = study.path / directory
        for rerun in (("--forcerun", target), ()):
            if not rerun:
                (study.path / target).unlink(missing_ok=True)
            with _mounted(path, "none", "bind", source=path):
                _call("mount", "-o", "remount,ro,bind", str(path))
                outcome.note(study.run(*rerun, "--until", _rule_of(target), "--", target))
            study.recover(outcome, target)
    yield bench.end(study, outcome)


def out_of_memory(bench: Bench) -> Iterator[Outcome]:
    """Too little memory for a job: as a limit of the process, and by the kernel's killer."""
    outcome = Outcome("address space of a job limited; the same command without")
    study = bench.new("limited")
    for script, mib in list(TOO_LITTLE.items())[: bench.count(3)]:
        limited = study.with_plan({"memory_bytes": {script: mib << 20}})
        result = limited.run(OUTPUTS[script], prefix=AT_MOST_TWO_MINUTES)
        if result.status != 0:
            outcome.note(result)
        study.recover(outcome, OUTPUTS[script])
    yield bench.end(study, outcome)
    group = Path("/sys/fs/cgroup/memory/faults")
    what = "Snakemake or a job killed by the kernel for lack of memory (cgroup)"
    outcome = Outcome(f"{what}; --unlock, the same command without")
    study = bench.new("cgroup")
    group.mkdir()
    try:
        for mib in (180, 260, 340)[: bench.count(3)]:
            (group / "memory.limit_in_bytes").write_text(str(mib << 20))
            inside = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"')
            result = study.run(prefix=inside)
            if result.status != 0:
                outcome.injected += 1
                outcome.told += 1
                study.run("--unlock")
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text().strip())
        group.rmdir()
    yield bench.end(study, outcome)


def clock_jumps(bench: Bench) -> Iterator[Outcome]:
    """Parts of the study made in the future or the past, by the machine's clock."""
    outcome = Outcome("clock jumps between and in jobs")
    study = bench.new("clock")
    steps = [
        ("+400d", "results/datasets/ethane/quality.json"),
        ("-400d", MODEL),
        ("+2h", "evaluate"),
    ]
    for offset, target in steps[: bench.count(3)]:
        if shutil.which("faketime"):
            outcome.note(study.run(target, prefix=(*_OTHER_CLOCK, offset)))
        study.run(target)
    for sign in (1, -1):
        for path in (study.path / "results").rglob("*.json"):
            _move_in_time(path, sign * 86_400 * 30)
        outcome.note(study.run())
        study.recover(outcome)
    yield bench.end(study, outcome)


def two_snakemakes(bench: Bench) -> Iterator[Outcome]:
    """A second Snakemake in the same directory, with its lock and without."""
    outcome = Outcome("two Snakemakes at the same time")
    study = bench.new("two")
    first = study.start()
    time.sleep(6.0)
    outcome.note(study.run(out="second"))
    if study.finish(first).status != 0:
        outcome.lost.append("the first one failed")
    yield bench.end(study, outcome)
    outcome = Outcome("two Snakemakes at the same time, both with --nolock")
    study = bench.new("two_unlocked")
    first = study.start("--nolock")
    second = study.run("--nolock", out="second")
    for result in (second, study.finish(first)):
        outcome.note(result)
    yield bench.end(study, outcome)


def late_files(bench: Bench) -> Iterator[Outcome]:
    """A network file system: what a job has written is seen seconds later."""
    for seconds, wait in ((4.0, 30), (9.0, 2)):
        outcome = Outcome(f"files {seconds:g} s late, --latency-wait {wait}")
        study = bench.new(f"late_{wait}")
        for script in ("check", "split", "dataset_info", "train", "evaluate")[: bench.count(5)]:
            plan = {"seconds_late": {script: seconds}}
            slow = study.with_plan(plan)
            result = slow.run("--latency-wait", str(wait), "--", OUTPUTS[script])
            if slow.fired():
                outcome.note(result)
            late = study.path / "results"
            wait_for(lambda late=late: not list(late.rglob("*.late")))
        yield bench.end(study, outcome)


def damaged_files(bench: Bench) -> Iterator[Outcome]:
    """Files that are changed behind the back of the workflow, their times kept."""
    dataset = "results/datasets/ethane"
    consumers = {
        f"{dataset}/reference.extxyz": ("check", f"{dataset}/quality.json"),
        f"{dataset}/frames.safetensors": ("split", f"{dataset}/splits/split.json"),
        f"{dataset}/splits/split.json": ("shard", f"{dataset}/dataset_info.json"),
        f"{dataset}/splits/split.safetensors": ("shard", f"{dataset}/dataset_info.json"),
        f"{dataset}/dataset_info.json": ("train_run", MODEL),
        f"{dataset}/shards/train/manifest.json": ("train_run", MODEL),
        f"{dataset}/shards/train/shard-00000-of-00001.safetensors": ("train_run", MODEL),
        MODEL: ("evaluate_entry", "results/evaluation/small/test/metrics.json"),
        "results/runs/small/metrics.csv": ("select_best", "results/models/best.json"),
        "results/models/best.json": ("best", "results/models/best.zip"),
    }
    rng = bench.rng()
    study = bench.finished("damaged")
    for name, damage in DAMAGES.items():
        outcome = Outcome(f"file {name}, times kept; done as told")
        for file, (rule, target) in list(consumers.items())[: bench.count(len(consumers))]:
            path = study.path / file
            _damage(path, damage, rng)
            outcome.note(study.run("--forcerun", rule, "--until", rule, "--", target))
            declared = () if "/shard-" in file else (file,)
            study.recover(outcome, target, *declared)
        outcome.compare(bench.artifacts, study)
        yield outcome
    shutil.rmtree(study.path)


def damaged_checkpoints(bench: Bench) -> Iterator[Outcome]:
    """The newest checkpoint, then all; and all compiled programs. The model is made once more."""
    rng = bench.rng()
    study = bench.finished("checkpoints")
    outcome = Outcome("newest checkpoint damaged; the training goes on from the one before")
    for damage in DAMAGES.values():
        for path in _files(newest_checkpoint(study.path)):
            _damage(path, damage, rng)
        (study.path / MODEL).unlink(missing_ok=True)
        outcome.note(study.run(MODEL))
    yield _compared(bench, study, outcome)
    outcome = Outcome("all checkpoints damaged; the training begins anew")
    for damage in list(DAMAGES.values())[:: 1 if bench.share == 1 else 3]:
        for path in _files(study.path / "results/runs/small/checkpoints"):
            _damage(path, damage, rng)
        (study.path / MODEL).unlink(missing_ok=True)
        outcome.note(study.run(MODEL))
    yield _compared(bench, study, outcome)
    outcome = Outcome("compiled programs damaged; compiled anew")
    for damage in (*DAMAGES.values(), flip_a_bit, flip_a_bit)[: bench.count(7)]:
        for path in (study.path / "results/.cache/jax").glob("*-cache"):
            _damage(path, damage, rng)
        shutil.rmtree(study.path / "results/runs/small/checkpoints", ignore_errors=True)
        (study.path / MODEL).unlink(missing_ok=True)
        outcome.note(study.run(MODEL))
    yield _compared(bench, study, outcome)
    shutil.rmtree(study.path)


SERIES: dict[str, Callable[[Bench], Iterator[Outcome]]] = {
    function.__name__: function
    for function in (
        killed_jobs,
        killed_rare_jobs,
        killed_once,
        killed_snakemake,
        full_disk,
        read_only,
        out_of_memory,
        clock_jumps,
        two_snakemakes,
        late_files,
        damaged_files,
        damaged_checkpoints,
    )
}


def _compared(bench: Bench, study: Study, outcome: Outcome) -> Outcome:
    study.recover(outcome)
    outcome.compare(bench.artifacts, study)
    return outcome


def _damage(path: Path, damage: Callable[[Path, random.Random], None], rng: random.Random) -> None:
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    damage(path, rng)
    if path.exists():
        os.utime(path, ns=times)


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and path.name != "lock"]


def _rule_of(target: str) -> str:
    rules = {"quality.json": "check", MODEL: "train_run", "metrics.json": "evaluate_entry"}
    return next((rule for end, rule in rules.items() if target.endswith(end)), "report")


def _move_in_time(path: Path, seconds: float) -> None:
    moved = path.stat().st_mtime + seconds
    os.utime(path, (moved, moved))


@contextmanager
def _mounted(path: Path, kind: str, options: str, source: Path | None = None) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    _call("mount", "-t", kind, "-o", options, str(source or kind), str(path))
    try:
        yield
    finally:
        _call("umount", "--lazy", str(path))


def _call(*command: str) -> None:
    subprocess.run(command, check=True)
