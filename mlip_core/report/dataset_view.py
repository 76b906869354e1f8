"""What the page says about one dataset."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from mlip_core.data.splits import SPLITS
from mlip_core.report import figures
from mlip_core.report.figures import FigureFile, FigureWriter
from mlip_core.report.formats import fixed, significant, thousands
from mlip_core.report.results import DatasetResults, read_labels
from mlip_core.report.run_view import Appendix, Fact

_PURPOSES = {
    "train": "fitting the parameters",
    "valid": "choosing the best epoch and the best run",
    "test": "the errors on this page",
    "unused": "nothing",
}
_MOST_COMPOSITIONS = 8


@dataclass(frozen=True)
class SplitView:
    """One split."""

    name: str
    structures: int
    atoms: int | None
    purpose: str


@dataclass(frozen=True)
class FindingView:
    """One finding of the dataset's check."""

    severity: str
    text: str


@dataclass(frozen=True)
class DatasetView:
    """One dataset."""

    name: str
    splits: Sequence[SplitView]
    facts: Sequence[Fact]
    checked: bool
    findings: Sequence[FindingView]
    figures: Sequence[FigureFile]
    appendices: Sequence[Appendix]


def dataset_view(dataset: DatasetResults, writer: FigureWriter) -> DatasetView:
    """Draw a dataset's figures and put together what is said about it."""
    return DatasetView(
        name=dataset.name,
        splits=_splits(dataset),
        facts=[*_quality_facts(dataset.quality), *_info_facts(dataset)],
        checked=bool(dataset.quality),
        findings=[
            _finding(finding)
            for source in (dataset.quality, dataset.split)
            for finding in source.get("findings", [])
        ],
        figures=list(_figures(dataset, writer)),
        appendices=list(_appendices(dataset)),
    )


def element_names(info: Mapping[str, Any]) -> list[str]:
    """The symbols of a dataset's elements."""
    return [chemical_symbols[int(z)] for z in info.get("atomic_energies_map", {})]


def _splits(dataset: DatasetResults) -> list[SplitView]:
    sizes = dataset.split.get("sizes", {})
    return [
        SplitView(name, sizes[name], dataset.manifests.get(name, {}).get("n_nodes"), purpose)
        for name, purpose in _PURPOSES.items()
        if sizes.get(name)
    ]


def _quality_facts(quality: Mapping[str, Any]) -> Iterator[Fact]:
    summary = quality.get("summary")
    if not summary:
        return
    atoms = summary["atoms"]
    sizes = {atoms["smallest"], atoms["largest"]}
    yield Fact("Structures", thousands(summary["frames"]))
    if dropped := summary["dropped"]:
        reasons = ", ".join(f"{_words(check)} {thousands(n)}" for check, n in dropped.items())
        yield Fact("Left out by the check", f"{thousands(sum(dropped.values()))}: {reasons}")
    yield Fact("Atoms", f"{' to '.join(map(str, sorted(sizes)))} in a structure")
    yield Fact("Composition", _compositions(summary["compositions"]))
    if periodic := summary["periodic_frames"]:
        yield Fact("Periodic", f"{thousands(periodic)} structures")
    yield Fact("Labels", _labels(summary["labels"], summary["frames"]))
    yield from _range_fact("Energy", "eV/atom", summary["energy_ev_per_atom"], decimals=4)
    largest = summary["largest_force_ev_per_angstrom"]
    yield from _range_fact("Largest force", "eV/Å", largest, decimals=2)
    if (rms := summary["force_rms_ev_per_angstrom"]) is not None:
        yield Fact("RMS of force components", f"{significant(rms)} eV/Å")


def _compositions(compositions: Mapping[str, Any]) -> str:
    frequent = list(compositions["frequent"].items())[:_MOST_COMPOSITIONS]
    shown = [f"{formula} ({thousands(n)})" for formula, n in frequent]
    more = compositions["number"] - len(shown)
    return ", ".join(shown) + (f" and {thousands(more)} more" if more else "")


def _labels(counts: Mapping[str, int], n_frames: int) -> str:
    """``energy, forces, stress of 12 structures``."""
    named = [
        name if count == n_frames else f"{name} of {thousands(count)} structures"
        for name, count in counts.items()
        if count
    ]
    return ", ".join(named) or "none"


def _range_fact(
    label: str, unit: str, values: Mapping[str, float] | None, decimals: int
) -> Iterator[Fact]:
    if values is not None:
        low, mean, high = (fixed(values[name], decimals) for name in ("min", "mean", "max"))
        yield Fact(label, f"{low} to {high} {unit}, mean {mean}")


def _info_facts(dataset: DatasetResults) -> Iterator[Fact]:
    info = dataset.info
    if not info:
        return
    energies = [
        f"{chemical_symbols[int(z)]} {fixed(energy, 4)} eV"
        for z, energy in info["atomic_energies_map"].items()
    ]
    yield Fact("Atomic energies", ", ".join(energies))
    cutoff = info["cutoff_distance_angstrom"]
    yield Fact("Cutoff", f"{cutoff:g} Å")
    height = dataset.quality.get("summary", {}).get("smallest_cell_height_angstrom")
    if height is not None:
        small = ", below the cutoff: atoms see their own images" if height < cutoff else ""
        yield Fact("Smallest height of a cell", f"{fixed(height, 2)} Å{small}")
    yield Fact("Neighbours", f"{fixed(info['avg_num_neighbors'], 2)} of an atom on average")


def _finding(finding: Mapping[str, Any]) -> FindingView:
    severity = {"error": "Error", "warn": "Warning", "drop": "Left out"}[finding["action"]]
    message, remedy = finding["message"], finding["remedy"]
    text = f"{message} ({_places(finding)}). {remedy[0].upper()}{remedy[1:]}."
    return FindingView(severity, text)


def _words(check: str) -> str:
    return check.replace("_", " ")


def _places(finding: Mapping[str, Any]) -> str:
    """``file.xyz: 3, 5; other.xyz: 7 and 4 more``."""
    by_file: dict[str, list[str]] = {}
    for frame in finding["frames"]:
        by_file.setdefault(Path(frame["file"]).name, []).append(str(frame["index"]))
    listed = "; ".join(f"{file}: {', '.join(indices)}" for file, indices in by_file.items())
    more = finding["count"] - len(finding["frames"])
    return f"{listed} and {more} more" if more > 0 else listed


def _figures(dataset: DatasetResults, writer: FigureWriter) -> Iterator[FigureFile]:
    labels = {name: labels for name in SPLITS if (labels := read_labels(dataset, name))}
    for quantity, xlabel, caption in (
        (
            "energy",
            "interaction energy (eV/atom)",
            "Energy of each structure without its free atoms', by split.",
        ),
        ("force", "force on an atom (eV/Å)", "Size of the reference force on each atom, by split."),
    ):
        values = {name: label[quantity] for name, label in labels.items() if quantity in label}
        if values:
            yield writer.write(
                f"{dataset.name}-{quantity}",
                figures.distribution(values, xlabel),
                alt=f"Distribution of the {xlabel.split(' (')[0]} by split.",
                caption=caption,
            )


def _appendices(dataset: DatasetResults) -> Iterator[Appendix]:
    for title, content in (
        ("What a model knows of the dataset (dataset_info.json)", dataset.info),
        ("The check in full (quality.json)", dataset.quality),
    ):
        if content:
            yield Appendix(title, json.dumps(content, indent=2, ensure_ascii=False))
