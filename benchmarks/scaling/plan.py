"""``python -m benchmarks.scaling.plan``: what 100 million structures would take on a cluster.

Paper and pencil: figures of ``benchmarks/results`` and assumptions, multiplied. ``--write`` puts
the tables into ``docs/explanation/hundred_million.md``; each assumption is an option.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.data.million import BATCH_SIZE, MIB
from benchmarks.models.cases import DATASETS, MACE
from benchmarks.models.machine import Peaks
from benchmarks.models.participants import OURS
from benchmarks.models.table import markdown
from mlip_core.report.formats import significant
from mlip_core.utils.files import write_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "hundred_million.md"
RESULTS = ROOT / "benchmarks" / "results"
ARRAYS_OF_STATE = 5
"""As large as the parameters: these, AMSGrad's three moments, the moving average."""

ARRAYS_OF_CHECKPOINT = 2 * ARRAYS_OF_STATE
"""The state of the training and that of its best epoch."""

BYTES_OF_FLOAT = 4
HOUR = 3600.0


QUANTITIES = {
    "shard_bytes": ("shards of a structure", "B"),
    "serial": ("check, split and gathering, time of a core for a structure", "s"),
    "parallel": ("making graphs, time of a core for a structure", "s"),
    "open": ("opening a dataset, for a structure", "s"),
    "memory": ("memory of a process that reads, for a structure", "B"),
    "assemble": ("a random batch, for a structure", "s"),
    "edges": ("edges of a structure (5 Å)", ""),
    "filled": ("edges of a batch that are not padding", ""),
    "flops": ("operations of a training step for an edge, by XLA's count", ""),
    "bytes": ("read and written for an edge, by XLA's count", "B"),
    "distance": ("time of a step over the least for these at the CPU's peaks", ""),
    "parameters": ("parameters", ""),
    "cost_exponent": ("a training step's time grows with channels to this power", ""),
    "overhead": ("what an epoch takes beside its steps, of their time", ""),
    "ended": ("trainings ended at random moments and resumed", ""),
    "differences": ("differences from one that was left alone", ""),
}
"""What is measured, and its unit."""


@dataclass(frozen=True)
class Figure:
    """One of ``QUANTITIES``, and where it stands."""

    value: float
    source: str


def _assume(default: float, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Assumed:
    """What nobody measured here; the meaning of each field is in its metadata."""

    structures: float = _assume(1e8, "structures, like the generated ones of 5 to 200 atoms")
    epochs: float = _assume(4, "times that each is trained on")
    channels: float = _assume(128, "channels of the MACE network; measured are 32")
    cost_exponent: float = _assume(1.5, "cost of a step grows with channels to this power")
    gpus: float = _assume(64, "GPUs that share a training")
    gpus_of_process: float = _assume(8, "of them belong to one process, which makes their batches")
    batch: float = _assume(32, "structures that a GPU takes in a step")
    gpu_flops: float = _assume(19.5e12, "float32 operations/s of a GPU (NVIDIA A100, data sheet)")
    gpu_bytes: float = _assume(2.0e12, "bytes/s of its memory (A100 80 GB, data sheet)")
    efficiency: float = _assume(0.9, "of so many GPUs together, beside one")
    preparing_cores: float = _assume(512, "cores that make graphs")
    shard: float = _assume(16384, "structures in a file of graphs (`structures_per_shard`)")
    disk: float = _assume(1e9, "bytes/s that one process writes")
    gpu_hours_to_failure: float = _assume(
        5e4, "GPU hours between failures (419 in 54 days of 16,384: Llama 3, arXiv:2407.21783)"
    )
    checkpoint_minutes: float = _assume(15, "minutes between checkpoints")


@dataclass(frozen=True)
class Row:
    """A line of the plan: what, how much of which unit, and how it was computed."""

    what: str
    value: float
    unit: str
    how: str


def measured(results: Path) -> dict[str, Figure]:
    """The figures that the plan needs, from the newest results that have them.

    Args:
        results: directory of ``data.json``, ``models.json``, ``overhead.json``, ``kills.json``
            and, if they are there, ``million.json`` and ``scaling.json``.
    """
    figures = _of_data(_read(results / "data.json"))
    if (results / "million.json").exists():
        figures |= _of_million(_read(results / "million.json")["results"])
    figures |= _of_models(_read(results / "models.json"))
    scaling = _read(results / "scaling.json") if (results / "scaling.json").exists() else {}
    if "channels" in scaling:
        figures["cost_exponent"] = Figure(scaling["channels"]["exponents"]["train"], "scaling.json")
    overhead, kills = _read(results / "overhead.json"), _read(results / "kills.json")
    figures["overhead"] = Figure(overhead["overhead"], "overhead.json")
    figures["ended"] = Figure(kills["kills"] + kills["stops"], "kills.json")
    figures["differences"] = Figure(len(kills["differences"]), "kills.json")
    return {name: figures[name] for name in QUANTITIES if name in figures}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _of_data(data: dict[str, Any]) -> dict[str, Figure]:
    """Until there are results of many structures: from smaller ones, and from earlier notes."""
    silicon = data["cases"]["silicon"][OURS.name]
    cores, rate = int(data["machine"]["cores"]), silicon["structures_per_second"]["prepare"]
    return {
        "parallel": Figure(cores / rate["median"], "data.json, cells of 60 atoms, batches too"),
        "filled": Figure(silicon["description"]["filled_edges"], "data.json, cells of 60 atoms"),
        "serial": Figure(74e-6, "NOTES.md, check of cells of 60 atoms alone"),
        "shard_bytes": Figure(12.7e3, "NOTES.md"),
        "open": Figure(3.4 / 1_007_616, "NOTES.md"),
        "memory": Figure(190 * MIB / 1_007_616, "NOTES.md"),
        "assemble": Figure(3.5e-3 / BATCH_SIZE, "NOTES.md"),
        "edges": Figure(1211, "counted in 300 of data/generate.py"),
    }


def _of_million(results: list[dict[str, Any]]) -> dict[str, Figure]:
    """From the largest number of generated structures, and how memory grew up to it."""
    smallest, largest = (pick(results, key=lambda one: one["structures"]) for pick in (min, max))
    count, reading = largest["structures"], largest["reading"]
    seconds = {name: stage["cpu_seconds"] / count for name, stage in largest["stages"].items()}
    # With one number of structures alone, what a process takes anyway is not told apart.
    more, mib = count, reading["peak_mib"]
    if smallest is not largest:
        more -= smallest["structures"]
        mib -= smallest["reading"]["peak_mib"]
    values = {
        "parallel": seconds.pop("shard"),
        "serial": sum(seconds.values()),
        "shard_bytes": largest["sizes"]["shard_bytes"] / count,
        "open": reading["seconds_to_open"] / count,
        "memory": mib * MIB / more,
        "assemble": reading["milliseconds_per_batch"] / 1e3 / BATCH_SIZE,
        "edges": reading["edges_of_structure"],
        "filled": reading["filled_edges"],
    }
    return _from(f"million.json, {count:,} structures", values)


def _of_models(models: dict[str, Any]) -> dict[str, Figure]:
    """Cost of MACE for an edge, and how far a step is above the machine's peaks."""
    dataset = DATASETS["acac"]
    ours = models["cases"]["acac-mace"][OURS.name]
    cost, seconds = ours["costs"]["train"], ours["quantities"]["train"]["median"]
    assert dataset.max_edges is not None
    edges = dataset.batch_size * dataset.max_edges
    values = {
        "flops": cost["flops"] / edges,
        "bytes": cost["bytes"] / edges,
        "distance": seconds / Peaks(**models["peaks"]).floor_seconds(cost["flops"], cost["bytes"]),
        "parameters": ours["description"]["parameters"],
    }
    return _from("models.json, acac-mace", values)


def _from(source: str, values: dict[str, float]) -> dict[str, Figure]:
    return {name: Figure(value, source) for name, value in values.items()}


def plan(figures: dict[str, Figure], assumed: Assumed) -> list[Row]:
    """Data, training, checkpoints: what each takes."""
    known = {"cost_exponent": assumed.cost_exponent}
    known |= {name: figure.value for name, figure in figures.items()}
    wider = assumed.channels / MACE["num_channels"]
    step = _seconds_of_step(known, assumed) * wider ** known["cost_exponent"]
    training = _plan_training(known, assumed, step)
    gpu_hours = training[-1].value
    size = BYTES_OF_FLOAT * ARRAYS_OF_CHECKPOINT * known["parameters"] * wider**2
    return [
        *_plan_data(known, assumed),
        *training,
        *_plan_checkpoints(size, gpu_hours, assumed),
    ]


def _seconds_of_step(known: dict[str, float], assumed: Assumed) -> float:
    """Of one GPU and the measured network, as far above the GPU's peaks as the CPU above its."""
    edges = assumed.batch * known["edges"] / known["filled"]
    at_least = max(known["flops"] / assumed.gpu_flops, known["bytes"] / assumed.gpu_bytes)
    return edges * at_least * known["distance"]


def _plan_data(known: dict[str, float], assumed: Assumed) -> list[Row]:
    count = assumed.structures
    core_hours = count * known["parallel"] / HOUR
    files = math.ceil(count / assumed.shard)
    return [
        Row("shards", count * known["shard_bytes"] / 1e12, "TB", "bytes of each structure"),
        Row("files of graphs", files, "", "structures / those of a file"),
        Row("size of a file", assumed.shard * known["shard_bytes"] / 1e6, "MB", "likewise"),
        Row("check, split, gathering", count * known["serial"] / HOUR, "h", "one job each"),
        Row("graphs", core_hours, "core hours", "time of each structure"),
        Row("graphs on all cores", 60 * core_hours / assumed.preparing_cores, "min", "/ cores"),
        Row("opening the dataset", count * known["open"] / 60, "min", "each process of a training"),
        Row("memory for it", count * known["memory"] / 1e9, "GB", "each process of a training"),
    ]


def _plan_training(known: dict[str, float], assumed: Assumed, step: float) -> list[Row]:
    """The last row is that of all GPU hours."""
    at_once = assumed.batch * assumed.gpus
    of_one = assumed.batch * known["assemble"]
    steps = math.ceil(assumed.structures / at_once)
    batches = of_one * min(assumed.gpus_of_process, assumed.gpus)
    slower = max(step / assumed.efficiency, batches) * (1 + known["overhead"])
    hours = assumed.epochs * steps * slower / HOUR
    return [
        Row("structures of a step", at_once, "", "batch × GPUs"),
        Row("steps of an epoch", steps, "", "structures / those of a step"),
        Row("a step, GPUs", 1e3 * step / assumed.efficiency, "ms", "least time × distance"),
        Row("a step, its batches", 1e3 * batches, "ms", "each process makes those of its GPUs"),
        Row("GPUs that one process can feed", step // of_one, "", "step / batch of one"),
        Row("training", hours / 24, "days", "the slower of both, all epochs"),
        Row("GPU hours", hours * assumed.gpus, "", "hours × GPUs"),
    ]


def _plan_checkpoints(size: float, gpu_hours: float, assumed: Assumed) -> list[Row]:
    failures = gpu_hours / assumed.gpu_hours_to_failure
    again = failures * assumed.gpus * assumed.checkpoint_minutes / 60 / 2
    return [
        Row("a checkpoint, at most", size / 1e6, "MB", "10 × parameters, by channels squared"),
        Row("writing it", 1e3 * size / assumed.disk, "ms", "in the background"),
        Row("failures", failures, "", "GPU hours / those between failures"),
        Row("done again after them", again, "GPU hours", "half of what is between checkpoints"),
    ]


def tables(figures: dict[str, Figure], assumed: Assumed) -> str:
    """Measured, assumed, and what follows, in Markdown."""
    measurements = [
        (what, _amount(figures[name].value, unit), figures[name].source)
        for name, (what, unit) in QUANTITIES.items()
        if name in figures
    ]
    assumptions = [
        (one.metadata["meaning"], _amount(getattr(assumed, one.name)), f"`{_option(one)}`")
        for one in fields(assumed)
        if one.name not in figures
    ]
    results = [(row.what, _amount(row.value, row.unit), row.how) for row in plan(figures, assumed)]
    return "\n\n".join(
        [
            "**Measured** on two cores of a CPU:",
            markdown(("what", "value", "from"), measurements),
            "**Assumed**, none of it measured:",
            markdown(("what", "value", "option"), assumptions),
            "**So it would take**:",
            markdown(("what", "value", "by"), results),
        ]
    )


def _amount(value: float, unit: str = "") -> str:
    if unit == "s" and value < 1e-2:
        value, unit = 1e6 * value, "µs"
    if value == round(value) < 1e9 or 1e3 <= value < 1e9:
        return f"{value:,.0f} {unit}".strip()
    return f"{significant(value)} {unit}".strip()


def _option(one: Any) -> str:
    return f"--{one.name.replace('_', '-')}"


def page_with(text: str, content: str) -> str:
    """A page with the tables between its marks ``<!-- plan -->`` and ``<!-- end -->``."""
    before, mark, rest = text.partition("<!-- plan -->\n")
    return f"{before}{mark}\n{content}\n\n<!-- end -->{rest.partition('<!-- end -->')[2]}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the plan, from the results as they are."""
    parser = argparse.ArgumentParser(prog="benchmarks/scaling/plan", description=main.__doc__)
    for one in fields(Assumed):
        parser.add_argument(
            _option(one), type=float, default=one.default, help=one.metadata["meaning"]
        )
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)} too")
    options = vars(parser.parse_args(arguments if arguments is None else list(arguments)))
    write = options.pop("write")
    content = tables(measured(RESULTS), Assumed(**options))
    if write:
        write_text(PAGE, page_with(PAGE.read_text(encoding="utf-8"), content))
    sys.stdout.write(f"{content}\n")


if __name__ == "__main__":
    main()
