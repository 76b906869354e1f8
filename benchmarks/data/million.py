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
from benchmarks.models.table import markdown
from benchmarks.reporting import write_report

ROOT = Path(__file__).parents[2]
DATASET = "generated"
TARGET = f"results/datasets/{DATASET}/dataset_info.json"
TITLE = "Many generated structures through the workflow"
BATCH_SIZE = 16
MIB = 1 << 20


def main() -> None:
    """Measure time and memory of preparing and reading many generated structures."""
    arguments = _parse()
    if arguments.read is not None:
        sys.stdout.write(json.dumps(_read(arguments.read, arguments.batches)) + "\n")
        return
    results = []
    page = ""
    for count in arguments.structures:
        results.append(_measure(count, arguments))
        figures = {"results": results}
        body = [_table(results), _list(results)]
        page = write_report(arguments.out, TITLE, arguments.cores, figures, body)
    sys.stdout.write(page)


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
    sizes = _sizes(directory)
    shutil.rmtree(directory)
    return {
        "structures": count,
        "sizes": sizes,
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
    for path in [dataset / "dataset_info.json", *_files_of_graphs(dataset)]:
        digest.update(f"{path.name} ".encode())
        with open(path, "rb") as file:
            while chunk := file.read(MIB):
                digest.update(chunk)
    return digest.hexdigest()


def _files_of_graphs(dataset: Path) -> list[Path]:
    """Manifests and shards of all splits."""
    return sorted(filter(Path.is_file, (dataset / "shards").glob("*/*.*")))


def _sizes(directory: Path) -> dict[str, int]:
    """Bytes of the structures' file, of their index and of the shards; number of shards."""
    dataset = directory / "results" / "datasets" / DATASET
    shards = [path for path in _files_of_graphs(dataset) if path.suffix == ".safetensors"]
    return {
        "source_bytes": (directory / "structures.xyz").stat().st_size,
        "index_bytes": (dataset / "frames.safetensors").stat().st_size,
        "shard_bytes": sum(path.stat().st_size for path in shards),
        "shards": len(shards),
    }


def _stages(directory: Path) -> dict[str, dict[str, float | None]]:
    """Seconds of all jobs of a rule, by the clock and of processors; MiB of the largest.

    Snakemake does not see the memory of a job that takes but a moment: ``None``.
    """
    stages: dict[str, dict[str, float | None]] = {}
    for name in ("check", "split", "shard", "dataset_info"):
        rows: list[dict[str, str]] = []
        for path in (directory / "results" / "benchmarks" / name).rglob("*.tsv"):
            rows += csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        memory = [float(row["max_rss"]) for row in rows if row["max_rss"] not in ("-", "NA")]
        stages[name] = {
            "seconds": sum(float(row["s"]) for row in rows),
            "cpu_seconds": sum(float(row["cpu_time"]) for row in rows),
            "peak_mib": max(memory, default=None),
        }
    return stages


def _read_in_a_process(directory: Path, batches: int) -> dict[str, float]:
    dataset = directory / "results" / "datasets" / DATASET
    command = [sys.executable, "-m", "benchmarks.data.million", "--read", str(dataset)]
    command += ["--batches", str(batches)]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def _read(directory: Path, batches: int) -> dict[str, float]:
    """Open the training set and make batches in random order; how many edges they have room for."""
    from mlip_core.data.dataset_info import read_dataset_info
    from mlip_core.data.shards import load_graph_dataset
    from mlip_core.data.shards.manifest import read_manifest

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
    edges = read_manifest(manifest)["n_edges"]
    return {
        "structures": dataset.num_graphs,
        "edges_of_structure": edges / dataset.num_graphs,
        "filled_edges": edges / (len(dataset) * shape.n_edge),
        "seconds_to_open": opened - start,
        "seconds_to_first_batch": first - opened,
        "milliseconds_per_batch": (finished - first) / max(1, count - 1) * 1e3,
        "nodes_of_batch": shape.n_node,
        "edges_of_batch": shape.n_edge,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _table(results: list[dict[str, Any]]) -> str:
    rows = []
    for result in results:
        count = result["structures"]
        for name, stage in result["stages"].items():
            each, of_cpu = (stage[key] / count * 1e6 for key in ("seconds", "cpu_seconds"))
            peak = "" if stage["peak_mib"] is None else f"{stage['peak_mib']:.0f}"
            rows.append([str(count), name, f"{each:.0f}", f"{of_cpu:.0f}", peak])
    header = ["structures", "job", "µs per structure", "of processors", "peak of a job, MiB"]
    return markdown(header, rows)


def _list(results: list[dict[str, Any]]) -> str:
    """How they are read, how large they are, and whether the number of jobs shows."""
    lines = []
    for result in results:
        reading, sizes, count = result["reading"], result["sizes"], result["structures"]
        each = sizes["shard_bytes"] / count / 1e3
        lines.append(
            f"- {count} structures: opened in {reading['seconds_to_open']:.1f} s,"
            f" first batch after {reading['seconds_to_first_batch']:.1f} s more,"
            f" {reading['milliseconds_per_batch']:.2f} ms for a batch of {BATCH_SIZE} random ones,"
            f" {reading['peak_mib']:.0f} MiB at most;"
            f" {each:.1f} kB of shards each, in {sizes['shards']} files."
        )
        if len(result["jobs"]) > 1:
            same = "the same files" if result["identical"] else "DIFFERENT FILES"
            jobs = ", ".join(map(str, result["jobs"]))
            lines.append(f"- {count} structures by {jobs} jobs: {same}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
