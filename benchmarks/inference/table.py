"""The table of what was measured, in Markdown."""

from benchmarks.inference.cases import OURS_ASE, OURS_JAX
from benchmarks.models.measure import Measured
from benchmarks.models.statistics import ratio
from benchmarks.models.table import markdown

STEP = "step"


def comparison(results: dict[str, dict[str, Measured]]) -> str:
    """Steps a second of each, and how many times as fast our engines are."""
    header = ("system", "engine", "ms a step", "steps/s", "our ASE engine", "our JAX engine")
    rows = []
    for system, participants in results.items():
        ours = [
            participants[one.name].quantities.get(STEP)
            for one in (OURS_ASE, OURS_JAX)
            if one.name in participants
        ]
        for name, measured in participants.items():
            own = measured.quantities.get(STEP)
            if own is None:
                rows.append((system, name, measured.failure, "", "", ""))
                continue
            factors = [f"{ratio(own, one):.2f}" if one else "" for one in ours]
            rows.append(
                (system, name, f"{own.median * 1e3:.3g}", f"{1 / own.median:.3g}", *factors)
            )
    return markdown(header, rows)
