"""Tables of what was measured, in Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.models.machine import Peaks
from benchmarks.models.measure import COLD, MEMORY, TASKS, WARM, Measured
from benchmarks.models.participants import OURS
from benchmarks.models.statistics import Summary, ratio

QUANTITIES = {
    "train": "training step",
    "evaluate": "evaluation step",
    "single": "one structure",
    COLD: COLD,
    WARM: WARM,
    MEMORY: MEMORY,
}
Results = dict[str, dict[str, Measured]]


def comparison(results: Results) -> str:
    """Peer, ours and ratio of each case and quantity; the ratio to the best peer in bold."""
    header = ("model", "quantity", "peer", "peer's", "ours", "ratio")
    rows = []
    for case, participants in results.items():
        for quantity, label in QUANTITIES.items():
            rows += _compare(case, quantity, label, participants)
    return markdown(header, rows)


def floors(results: Results, peaks: Peaks) -> str:
    """Operations and bytes of our steps, the least time for them, and how far above we are."""
    header = ("model", "step", "GFLOP", "GB", "operations", "bytes", "floor", "ours", "distance")
    rows = []
    for case, participants in results.items():
        ours = participants.get(OURS.name, Measured())
        for task in TASKS:
            cost, measured = ours.costs.get(task), ours.quantities.get(task)
            if not cost or measured is None:
                continue
            flops, moved = cost["flops"], cost["bytes"]
            floor = peaks.floor_seconds(flops, moved)
            rows.append(
                (
                    case,
                    QUANTITIES[task],
                    f"{flops / 1e9:.3f}",
                    f"{moved / 1e9:.3f}",
                    format_seconds(flops / peaks.flops),
                    format_seconds(moved / peaks.cached_bytes),
                    format_seconds(floor),
                    format_seconds(measured.median),
                    f"{measured.median / floor:.1f}",
                )
            )
    return markdown(header, rows)


def failures(results: Results) -> str:
    """Who failed where, in a list; empty if nobody did."""
    return "\n".join(
        f"- {case}, {name}: {measured.failure}"
        for case, participants in results.items()
        for name, measured in participants.items()
        if measured.failure
    )


def format_seconds(seconds: float) -> str:
    """Three significant digits in s or ms."""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds * 1e3:.3g} ms"


def _compare(
    case: str, quantity: str, label: str, participants: dict[str, Measured]
) -> list[tuple[str, ...]]:
    found = {
        name: measured.quantities[quantity]
        for name, measured in participants.items()
        if quantity in measured.quantities
    }
    ours = found.pop(OURS.name, None)
    if ours is None:
        return [(case, label, name, _value(quantity, peer), "", "") for name, peer in found.items()]
    best = min((peer.median for peer in found.values()), default=None)
    rows: list[tuple[str, ...]] = []
    for name, peer in found.items():
        factor = f"{ratio(peer, ours):.2f}"
        rows.append(
            (
                case,
                label,
                name,
                _value(quantity, peer),
                _value(quantity, ours),
                f"**{factor}**" if peer.median == best else factor,
            )
        )
    return rows or [(case, label, "", "", _value(quantity, ours), "")]


def _value(quantity: str, summary: Summary) -> str:
    if quantity == MEMORY:
        return f"{summary.median / 2**20:.0f} MiB"
    return format_seconds(summary.median)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are text already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
