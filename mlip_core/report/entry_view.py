"""What is said about one entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlip_core.report.curves import learning_curves
from mlip_core.report.elements import Appendix, Fact, Tile
from mlip_core.report.errors_view import TestsetView, testset_views
from mlip_core.report.facts import appendices, run_facts
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import duration, enumeration, significant, thousands
from mlip_core.report.physics_view import CheckView, CostView, check_views, cost_view, device_text
from mlip_core.report.results import EntryResults

_MILLI = 1000.0


@dataclass(frozen=True)
class EntryView:
    """One entry."""

    name: str
    dataset: str | None
    members: Sequence[str]
    verdict: str
    tiles: Sequence[Tile]
    tests: Sequence[TestsetView]
    learning_curves: Sequence[FigureFile]
    checks: Sequence[CheckView]
    cost: CostView | None
    facts: Sequence[Fact]
    appendices: Sequence[Appendix]


def entry_view(entry: EntryResults, writer: FigureWriter) -> EntryView:
    """Draw an entry's figures and put together what is said about it."""
    return EntryView(
        name=entry.name,
        dataset=entry.inputs.dataset,
        members=entry.inputs.members,
        verdict=verdict(entry),
        tiles=list(tiles(entry)),
        tests=testset_views(entry, writer),
        learning_curves=list(learning_curves(entry, writer)),
        checks=check_views(entry, writer),
        cost=cost_view(entry, writer),
        facts=list(run_facts(entry)),
        appendices=list(appendices(entry)),
    )


def verdict(entry: EntryResults) -> str:
    """One or two sentences: how far off it is, and whether its physics holds."""
    return " ".join(filter(None, (_errors(entry), checks_sentence(entry))))


def checks_sentence(entry: EntryResults) -> str:
    """Which physics checks it fails, if any were made."""
    judged = [check for check in entry.checks if check.passed is not None]
    failed = [check.title for check in judged if not check.passed]
    if not judged:
        return ""
    if failed:
        return f"It fails {len(failed)} of {len(judged)} physics checks: {enumeration(failed)}."
    return "It passes all physics checks."


def tiles(entry: EntryResults) -> Iterator[Tile]:
    """The figures at the top of a page."""
    metrics = next(iter(entry.metrics.values()), {})
    if forces := metrics.get("forces"):
        relative = forces["relative_rmse_percent"]
        yield Tile(
            "Force error (RMSE)",
            significant(_MILLI * forces["rmse"]),
            "meV/Å",
            more="" if relative is None else f"{significant(relative)} % of their spread",
        )
    if energy := metrics.get("energy_per_atom"):
        yield Tile(
            "Energy error (RMSE)",
            significant(_MILLI * energy["rmse"]),
            "meV/atom",
            more=f"MAE {significant(_MILLI * energy['mae'])} meV/atom",
        )
    if judged := [check for check in entry.checks if check.passed is not None]:
        passed = sum(check.passed is True for check in judged)
        failed = ", ".join(check.name for check in judged if not check.passed)
        outcome = passed == len(judged)
        yield Tile("Physics checks", f"{passed} of {len(judged)}", more=failed, passed=outcome)
    if rows := entry.cost.get("rows"):
        largest = max(rows, key=lambda row: row["n_atoms"])
        yield Tile(
            "Time per atom",
            significant(largest["microseconds_per_atom"]),
            "µs",
            more=f"{thousands(largest['n_atoms'])} atoms, {device_text(entry.cost)}",
        )
    if entry.training_seconds is not None:
        epochs = thousands(entry.last_epoch)
        yield Tile("Training time", duration(entry.training_seconds), more=f"{epochs} epochs")


def _errors(entry: EntryResults) -> str:
    name, metrics = next(iter(entry.metrics.items()), ("", {}))
    errors = [
        f"{significant(_MILLI * found['rmse'])} {unit} in the {quantity}"
        for key, unit, quantity in (
            ("forces", "meV/Å", "forces"),
            ("energy_per_atom", "meV/atom", "energy"),
        )
        if (found := metrics.get(key))
    ]
    if not errors:
        return "The model has not been evaluated on a test set."
    is_ours = entry.is_run or entry.inputs.members
    seen = "that it has not seen" if name == "test" and is_ours else f"of the set {name}"
    who = "the committee's mean" if entry.inputs.members else "the model"
    return (
        f"On {thousands(metrics['n_structures'])} structures {seen}, {who} is off "
        f"by {enumeration(errors)} (root-mean-square)."
    )
