"""``python -m benchmarks.data.million``: many structures through the workflow, and read again.

Time and memory of jobs are what Snakemake measured; files made by 1, 3 and 8 jobs are compared.
"""

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from benchmarks.data.generate import write_structures
from benchmarks.models.machine import describe

ROOT = Path(__file__).parents[2]
DATASET = "generated"
TARGET = f"results/datasets/{DATASET}/dataset_info.json"
BATCH_SIZE = 16
MIB = 1 << 20


def main() -> None:
    """Measure time and memory of preparing and reading many generated structures."""
    arguments = _parse()
    if arguments.read is not None:
        sys.stdout.write(json.dumps(_read(arguments.read, arguments.batches)) + "\n")
        return
    results = [_measure(count, arguments) for count in arguments.structures]
    report = _report(results)
    if arguments.out is not None:
        content = {"machine": describe(), "results": results}
        arguments.out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(report)
    sys.stdout.write(report)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/data/million", description=main.__doc__)
    add = parser.add_argument
    add("--structures", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    add("--scratch", type=Path, default=Path(".benchmark"), help="needs 30 kB for each structure")
    add("--jobs", type=int, nargs="+", default=[1, 3, 8], help="numbers of jobs to compare")
    add("--compare-up-to", type=int, default=100_000, help="more structures: the last number only")
    add("--batches", type=int, default=2000, help="how many to read")
    add("--cores", type=int, default=2)
    add("--out", type=Path, help="file for results, without suffix: .json and .md are written")
    add("--read", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    directory = arguments.scratch.resolve() / str(count)
    directory.mkdir(parents=True, exist_ok=True)
    write_structures(directory / "structures.xyz", count)
    jobs = arguments.jobs if count <= arguments.compare_up_to else arguments.jobs[-1:]
    digests, stages = [], {}
    for n_jobs in jobs:
        _prepare(directory, count, n_jobs, arguments.cores)
        digests.append(_digest_of_results(directory))
        stages[n_jobs] = _stages(directory)
    reading = _read_in_a_process(directory, arguments.batches)
    shutil.rmtree(directory)
    return {
        "structures": count,
        "stages": stages[jobs[0]],
        "jobs": jobs,
        "identical": len(set(digests)) == 1,
        "reading": reading,
    }


def _prepare(directory: Path, count: int, n_jobs: int, cores: int) -> None:
    """Run the workflow up to the shards.

    Raises:
        subprocess.CalledProcessError: if it fails; what it said is printed.
    """
    few = max(1, count // 100)
    study = {
        "datasets": {
            DATASET: {
                "source": {"files": ["structures.xyz"]},
                "split": {"train": count - 2 * few, "valid": few, "test": few},
                "shard_jobs": n_jobs,
                "structures_per_shard": min(4096, 1 + count // 20),
            }
        },
        "runs": {"unused": {"dataset": DATASET, "training": {"num_epochs": 1}}},
    }
    (directory / "study.yaml").write_text(yaml.safe_dump(study))
    options = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    command = [sys.executable, "-m", "snakemake", TARGET, "--cores", str(cores), *options]
    subprocess.run(command, cwd=directory, check=True)


def _digest_of_results(directory: Path) -> str:
    """Of all that trainings read."""
    digest = sha256()
    dataset = directory / "results" / "datasets" / DATASET
    shards = sorted((dataset / "shards").glob("*/*.*"))
    for path in [dataset / "dataset_info.json", *filter(Path.is_file, shards)]:
        digest.update(f"{path.name} ".encode())
        with open(path, "rb") as file:
            while chunk := file.read(MIB):
                digest.update(chunk)
    return digest.hexdigest()


def _stages(directory: Path) -> dict[str, dict[str, float]]:
    """Seconds of all jobs of a rule, by the clock and of processors; MiB of the largest."""
    stages = {}
    for name in ("check", "split", "shard", "dataset_info"):
        rows = []
        for path in (directory / "results" / "benchmarks" / name).rglob("*.tsv"):
            rows += csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        memory = [float(row["max_rss"]) for row in rows if row["max_rss"] not in ("-", "NA")]
        stages[name] = {
            "seconds": sum(float(row["s"]) for row in rows),
            "cpu_seconds": sum(float(row["cpu_time"]) for row in rows),
            "peak_mib": max(memory, default=float("nan")),
        }
    return stages


def _read_in_a_process(directory: Path, batches: int) -> dict[str, float]:
    dataset = directory / "results" / "datasets" / DATASET
    command = [sys.executable, "-m", "benchmarks.data.million", "--read", str(dataset)]
    command += ["--batches", str(batches)]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def _read(directory: Path, batches: int) -> dict[str, float]:
    """Open the training set and make batches in random order."""
    from mlip_core.data.dataset_info import read_dataset_info
    from mlip_core.data.shards import load_graph_dataset

    info = read_dataset_info(directory / "dataset_info.json")
    start = time.perf_counter()
    manifest = directory / "shards" / "train" / "manifest.json"
    dataset = load_graph_dataset(manifest, info, BATCH_SIZE)
    opened = time.perf_counter()
    count = 0
    for count, _ in enumerate(dataset.epoch(0), start=1):
        if count == 1:
            first = time.perf_counter()
        if count == batches:
            break
    finished = time.perf_counter()
    shape = dataset.shape
    return {
        "structures": dataset.num_graphs,
        "seconds_to_open": opened - start,
        "seconds_to_first_batch": first - opened,
        "milliseconds_per_batch": (finished - first) / max(1, count - 1) * 1e3,
        "nodes_of_batch": shape.n_node,
        "edges_of_batch": shape.n_edge,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _report(results: list[dict[str, Any]]) -> str:
    lines = [
        "| structures | job | µs per structure | of processors | peak of a job, MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        count = result["structures"]
        for name, stage in result["stages"].items():
            each, of_cpu = (stage[key] / count * 1e6 for key in ("seconds", "cpu_seconds"))
            peak = stage["peak_mib"]
            lines.append(f"| {count} | {name} | {each:.0f} | {of_cpu:.0f} | {peak:.0f} |")
        reading = result["reading"]
        lines.append(
            f"| {count} | open, first batch | {reading['seconds_to_open']:.1f} s,"
            f" {reading['seconds_to_first_batch']:.1f} s | | {reading['peak_mib']:.0f} |"
        )
    lines.append("")
    for result in results:
        if len(result["jobs"]) > 1:
            same = "the same files" if result["identical"] else "DIFFERENT FILES"
            jobs = ", ".join(map(str, result["jobs"]))
            lines.append(f"- {result['structures']} structures by {jobs} jobs: {same}.")
        per_batch = result["reading"]["milliseconds_per_batch"]
        lines.append(
            f"- {result['structures']} structures: {per_batch:.2f} ms for a batch of {BATCH_SIZE}"
            " random ones."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
