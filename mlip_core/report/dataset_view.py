"""What is said about one dataset."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from mlip_core.data.splits import SPLITS
from mlip_core.report import figures
from mlip_core.report.elements import Appendix, Cell, Column, Fact, Row, Table, number, word
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import fixed, significant, thousands
from mlip_core.report.results import DatasetResults, SplitLabels, read_labels

_PURPOSES = {
    "train": "fitting the parameters",
    "valid": "choosing the best epoch and the best run",
    "test": "the errors of the leaderboard",
    "unused": "nothing",
}
_MOST_COMPOSITIONS = 8
_MOST_BARS = 16
_ORIGIN = {
    "description": "Description",
    "level_of_theory": "Level of theory",
    "licence": "Licence",
}


@dataclass(frozen=True)
class FindingView:
    """One finding of the dataset's check."""

    severity: str
    text: str


@dataclass(frozen=True)
class DatasetView:
    """One dataset."""

    name: str
    origin: Sequence[Fact]
    splits: Table | None
    shards: Table | None
    facts: Sequence[Fact]
    checked: bool
    findings: Sequence[FindingView]
    figures: Sequence[FigureFile]
    appendices: Sequence[Appendix]


def dataset_view(dataset: DatasetResults, writer: FigureWriter) -> DatasetView:
    """Draw a dataset's figures and put together what is said about it."""
    return DatasetView(
        name=dataset.name,
        origin=origin_facts(dataset.inputs.origin),
        splits=_splits(dataset),
        shards=_shards(dataset),
        facts=[*quality_facts(dataset.quality), *_info_facts(dataset)],
        checked=bool(dataset.quality),
        findings=[
            _finding(finding)
            for source in (dataset.quality, dataset.split)
            for finding in source.get("findings", [])
        ],
        figures=list(_figures(dataset, writer)),
        appendices=list(_appendices(dataset)),
    )


def origin_facts(origin: Mapping[str, str]) -> list[Fact]:
    """What the study says of where the data come from."""
    return [Fact(label, origin[key]) for key, label in _ORIGIN.items() if origin.get(key)]


def element_names(info: Mapping[str, Any]) -> list[str]:
    """The symbols of a dataset's elements."""
    return [chemical_symbols[int(z)] for z in info.get("atomic_energies_map", {})]


def _splits(dataset: DatasetResults) -> Table | None:
    sizes = dataset.split.get("sizes", {})
    rows = [
        Row(
            [
                word(name),
                number(sizes[name], thousands(sizes[name])),
                _count(dataset.manifests.get(name, {}).get("n_nodes")),
                word(purpose),
            ]
        )
        for name, purpose in _PURPOSES.items()
        if sizes.get(name)
    ]
    columns = [Column("Split", numeric=False), Column("Structures"), Column("Atoms")]
    columns.append(Column("Used for", numeric=False))
    return Table("Structures by split", columns, rows) if rows else None


def _count(value: int | None) -> Cell:
    return number(value, thousands(value))


def _shards(dataset: DatasetResults) -> Table | None:
    """How the graphs of each split lie on disk, and how much padding equal sizes would take."""
    rows = [
        Row(
            [
                word(name),
                number(len(manifest["shards"]), thousands(len(manifest["shards"]))),
                number(sum(shard["bytes"] for shard in manifest["shards"]) / 1e6),
                _count(manifest["n_edges"]),
                _count(manifest["max_nodes"]),
                _count(manifest["max_edges"]),
                number(100.0 * _padding(manifest)),
            ]
        )
        for name, manifest in dataset.manifests.items()
        if manifest["n_structures"]
    ]
    columns = [
        Column("Split", numeric=False),
        Column("Shards"),
        Column("Size", "MB"),
        Column("Edges"),
        Column("Most atoms", "of one"),
        Column("Most edges", "of one"),
        Column("Padding", "% of edges"),
    ]
    caption = (
        "Graphs on disk. Padding: the share of edges that would be empty if every structure took "
        "the room of the largest; batches pack structures and need less."
    )
    return Table(caption, columns, rows) if rows else None


def _padding(manifest: Mapping[str, Any]) -> float:
    room = manifest["n_structures"] * manifest["max_edges"]
    return 1.0 - manifest["n_edges"] / room if room else 0.0


def quality_facts(quality: Mapping[str, Any]) -> Iterator[Fact]:
    """What the check counted."""
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
    height = dataset.summary.get("smallest_cell_height_angstrom")
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
    labels = {s: found for s in SPLITS if (found := read_labels(dataset, s)) is not None}
    if not labels:
        return
    yield from _distributions(labels, writer)
    counts = {split: label.n_atoms for split, label in labels.items()}
    if len({int(n) for group in counts.values() for n in (group.min(), group.max())}) > 1:
        yield writer.write(
            "sizes",
            figures.sizes(counts),
            alt="Number of structures by their number of atoms, for each split.",
            caption="Structures by their number of atoms.",
        )
    yield from _composition_figures(dataset, labels, writer)


def _distributions(labels: Mapping[str, SplitLabels], writer: FigureWriter) -> Iterator[FigureFile]:
    energies = {split: label.energy for split, label in labels.items() if label.energy.size}
    if energies:
        yield writer.write(
            "energy",
            figures.distribution(energies, "interaction energy (eV/atom)"),
            alt="Distribution of the interaction energy by split.",
            caption="Energy of each structure without its free atoms', by split.",
        )
    forces = {split: label.force for split, label in labels.items() if label.force.size}
    if forces:
        yield writer.write(
            "force",
            figures.distribution(forces, "force on an atom (eV/Å)"),
            alt="Distribution of the force on an atom by split.",
            caption="Size of the reference force on each atom, by split.",
        )


def _composition_figures(
    dataset: DatasetResults, labels: Mapping[str, SplitLabels], writer: FigureWriter
) -> Iterator[FigureFile]:
    atoms = {
        chemical_symbols[z]: sum(label.elements.get(z, 0) for label in labels.values())
        for z in sorted({z for label in labels.values() for z in label.elements})
    }
    if len(atoms) > 1:
        yield writer.write(
            "elements",
            figures.bars(atoms, "atoms"),
            alt=f"Number of atoms of each element: {', '.join(atoms)}.",
            caption="Atoms of each element, all splits.",
        )
    compositions = dataset.summary.get("compositions", {"number": 0, "frequent": {}})
    if compositions["number"] > 1:
        shown = dict(list(compositions["frequent"].items())[:_MOST_BARS])
        yield writer.write(
            "compositions",
            figures.bars(shown, "structures"),
            alt=f"Number of structures of the {len(shown)} most frequent compositions.",
            caption=f"Structures by composition: the {len(shown)} most frequent of "
            f"{thousands(compositions['number'])}.",
        )


def _appendices(dataset: DatasetResults) -> Iterator[Appendix]:
    for title, content in (
        ("What a model knows of the dataset (dataset_info.json)", dataset.info),
        ("The check in full (quality.json)", dataset.quality),
    ):
        if content:
            yield Appendix(title, json.dumps(content, indent=2, ensure_ascii=False))
