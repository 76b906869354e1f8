"""What a check found, in a form that needs no knowledge of the check to be shown."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self

import pandas as pd

from mlip_core.physics.config import CheckConfig
from mlip_core.utils.files import atomic_path, write_json


@dataclass(frozen=True)
class Quantity:
    """A number that was found.

    Attributes:
        name: what it is.
        value: ``None`` if it could not be found.
        unit: its unit, or empty.
        limit: what it was compared with, if it was.
        passed: the outcome, or ``None`` if it is shown only.
    """

    name: str
    value: float | None
    unit: str = ""
    limit: float | None = None
    passed: bool | None = None

    @classmethod
    def shown(cls, name: str, value: float, unit: str = "") -> Self:
        """A quantity that is not judged."""
        return cls(name, _finite_or_none(value), unit)

    @classmethod
    def at_most(cls, name: str, value: float, limit: float, unit: str = "") -> Self:
        """A quantity that passes if it is not larger than the limit in size; NaN does not pass."""
        return cls(name, _finite_or_none(value), unit, limit, bool(abs(value) <= limit))

    @classmethod
    def at_least(cls, name: str, value: float, limit: float, unit: str = "") -> Self:
        """A quantity that passes if it is not smaller than the limit; NaN does not pass."""
        return cls(name, _finite_or_none(value), unit, limit, bool(value >= limit))


@dataclass(frozen=True)
class Plot:
    """Columns of the table to draw: ``y`` against ``x``, one line for each value of ``group``."""

    title: str
    x: str
    y: Sequence[str]
    x_label: str
    y_label: str
    group: str | None = None


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        quantities: the numbers.
        table: what they were taken from.
        plots: how to draw it.
        note: what else there is to say, one plain sentence or empty.
    """

    quantities: Sequence[Quantity]
    table: pd.DataFrame
    plots: Sequence[Plot] = ()
    note: str = ""

    @classmethod
    def not_applicable(cls, note: str) -> Self:
        """The result of a check that has nothing to look at, and why."""
        return cls((), pd.DataFrame({"structure": []}), note=note)

    @classmethod
    def of_structures(
        cls,
        quantities: Mapping[str, Sequence[Quantity]],
        tables: Mapping[str, pd.DataFrame],
        plots: Sequence[Plot] = (),
        note: str = "",
    ) -> Self:
        """The result of a check that looks at structures one by one, by their names.

        Tables get a column ``structure``; names of quantities say it where there are several.
        """
        several = len(quantities) > 1
        return cls(
            quantities=[
                replace(quantity, name=f"{quantity.name}, {name}") if several else quantity
                for name, found in quantities.items()
                for quantity in found
            ],
            table=pd.concat([t.assign(structure=name) for name, t in tables.items()]),
            plots=plots,
            note=note,
        )

    @property
    def passed(self) -> bool | None:
        """Whether all that was judged passed; ``None`` if nothing was."""
        judged = [quantity.passed for quantity in self.quantities if quantity.passed is not None]
        return all(judged) if judged else None


def write_result(
    directory: str | os.PathLike[str],
    name: str,
    title: str,
    config: CheckConfig,
    result: CheckResult,
) -> None:
    """Write ``<name>.json`` and ``<name>.csv``, the same bytes for the same result."""
    with atomic_path(Path(directory) / f"{name}.csv") as temporary:
        result.table.to_csv(temporary, index=False, lineterminator="\n")
    content: dict[str, Any] = {
        "check": name,
        "title": title,
        "passed": result.passed,
        "quantities": [asdict(quantity) for quantity in result.quantities],
        "note": result.note,
        "plots": [asdict(plot) for plot in result.plots],
        "config": config.model_dump(mode="json"),
    }
    write_json(Path(directory) / f"{name}.json", content)


def _finite_or_none(value: float) -> float | None:
    return float(value) if isfinite(value) else None
