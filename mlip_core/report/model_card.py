"""The model card: what whoever gets a model zip has to know of it, as Markdown."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlip_core.report.dataset_view import element_names, origin_facts, quality_facts
from mlip_core.report.elements import Fact
from mlip_core.report.facts import run_facts
from mlip_core.report.formats import enumeration, fixed, significant, thousands
from mlip_core.report.inputs import DatasetInputs, EntryInputs
from mlip_core.report.pages import write_page
from mlip_core.report.results import (
    CheckResults,
    DatasetResults,
    EntryResults,
    read_dataset,
    read_entry,
    read_json,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_text

_MILLI = 1000.0
_RANGES = {"Structures", "Atoms", "Composition", "Periodic", "Energy", "Largest force"}
_NO_LICENCE = "unknown"


@dataclass(frozen=True)
class ModelCard:
    """What the card says.

    Attributes:
        licence: the identifier that the study gives to the data.
        example: a file with structures to try it on.
        errors: cells of the table of errors.
        checks: cells of the table of physics checks.
    """

    name: str
    summary: str
    licence: str
    licence_text: str
    elements: Sequence[str]
    model: str
    example: str
    data: Sequence[Fact]
    range: Sequence[Fact]
    errors: Sequence[Sequence[str]]
    checks: Sequence[Sequence[str]]
    making: Sequence[Fact]


def write_model_card(
    path: str | os.PathLike[str], inputs: EntryInputs, dataset: DatasetInputs
) -> None:
    """Write the card of one run of the study.

    Args:
        path: of the card.
        inputs: the files of the run; what is not there is left out.
        dataset: the files of the dataset that it was trained on.
    """
    card = _card(read_entry(inputs), read_dataset(dataset))
    write_page(Path(path), "model_card.md.j2", card=card)


def write_best_card(path: str | os.PathLike[str], best: Path, cards: Mapping[str, Path]) -> None:
    """Write the card of the best model: that of its run, for the file that it lies in.

    Args:
        path: of the card, beside the model.
        best: ``best.json``.
        cards: the cards of all runs, beside their models.

    Raises:
        UserError: if the best run is not among those of the cards.
    """
    run = read_json(best).get("run")
    if run is None:
        write_text(path, "# No best model\n\nEvery run fails a physics check; see the report.\n")
        return
    if run not in cards:
        raise UserError(f"{best}: there is no run {run!r} any more; choose the best run again")
    text = cards[run].read_text(encoding="utf-8")
    model, copy = (Path(card).with_suffix(".zip").as_posix() for card in (cards[run], path))
    write_text(path, text.replace(f'"{model}"', f'"{copy}"'))


def _card(run: EntryResults, dataset: DatasetResults) -> ModelCard:
    elements = element_names(dataset.info)
    licence = dataset.inputs.origin.get("licence") or _NO_LICENCE
    model = run.inputs.model
    example = next(iter(run.inputs.testsets.values()), Path("structures.extxyz"))
    return ModelCard(
        name=run.name,
        summary=f"An interatomic potential for {enumeration(elements)}, trained with mlip_core on "
        f"the dataset {dataset.name}.",
        licence=licence,
        licence_text=_licence_text(licence),
        elements=elements,
        model="" if model is None else model.as_posix(),
        example=(example / "predictions.extxyz").as_posix(),
        data=[_one_line(fact) for fact in _data_facts(dataset)],
        range=[_one_line(fact) for fact in _range_facts(dataset)],
        errors=[_error_cells(name, metrics) for name, metrics in run.metrics.items()],
        checks=[_check_cells(check) for check in run.checks],
        making=[_one_line(fact) for fact in run_facts(run)],
    )


def _licence_text(licence: str) -> str:
    if licence == _NO_LICENCE:
        return "Nothing was said. Set `licence` of the dataset in the study."
    return f"Training data: {licence}. What it means for the model is for its author to say."


def _one_line(fact: Fact) -> Fact:
    return Fact(fact.label, " ".join(fact.value.split()))


def _data_facts(dataset: DatasetResults) -> Iterator[Fact]:
    yield Fact("Dataset", dataset.name)
    yield from (fact for fact in origin_facts(dataset.inputs.origin) if fact.label != "Licence")
    sizes = dataset.split.get("sizes", {})
    names = {"train": "training", "valid": "validation", "test": "test"}
    counts = [f"{thousands(sizes[s])} for {name}" for s, name in names.items() if sizes.get(s)]
    if counts:
        yield Fact("Structures by split", ", ".join(counts))
    yield from (fact for fact in quality_facts(dataset.quality) if fact.label == "Labels")


def _range_facts(dataset: DatasetResults) -> Iterator[Fact]:
    yield Fact("Elements", enumeration(element_names(dataset.info)) or "unknown")
    yield from (fact for fact in quality_facts(dataset.quality) if fact.label in _RANGES)
    distances = read_json(dataset.inputs.directory / "physics" / "distances.json")
    shortest = distances.get("shortest_distances_angstrom", {})
    if shortest:
        pairs = [f"{pair} {fixed(distance, 2)} Å" for pair, distance in shortest.items()]
        yield Fact("Shortest distances in training", ", ".join(pairs))
    if "cutoff_distance_angstrom" in dataset.info:
        cutoff = dataset.info["cutoff_distance_angstrom"]
        yield Fact("Cutoff of a layer", f"{cutoff:g} Å; there is no interaction beyond")


def _error_cells(name: str, metrics: Mapping[str, Any]) -> list[str]:
    forces, energy = metrics.get("forces") or {}, metrics.get("energy_per_atom") or {}
    numbers = [errors.get(which) for errors in (forces, energy) for which in ("rmse", "mae")]
    cells = [significant(None if n is None else _MILLI * n) for n in numbers]
    return [name, thousands(metrics["n_structures"]), *cells]


def _check_cells(check: CheckResults) -> list[str]:
    outcome = {True: "passed", False: "**failed**", None: "does not apply"}[check.passed]
    quantities = [_quantity(quantity) for quantity in check.outcome.get("quantities", [])]
    text = "; ".join(quantities) or str(check.outcome.get("note") or "")
    return [_cell(check.title), outcome, _cell(text)]


def _quantity(quantity: Mapping[str, Any]) -> str:
    """``drift 0.03 meV/atom (limit 1)``."""
    limit = quantity.get("limit")
    bound = "" if limit is None else f" (limit {significant(limit)})"
    value = significant(quantity.get("value"))
    return f"{quantity['name']} {value} {quantity.get('unit') or ''}".rstrip() + bound


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
