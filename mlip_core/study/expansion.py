"""Many runs said in few words: defaults for all, grids of hyperparameters, and tables.

Everything here turns a study as written into one in which each dataset and run stands by itself.
Nothing is validated but what is needed for that; the result is validated as a whole.
"""

import csv
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field

from mlip_core.study.config_base import Closed, Name
from mlip_core.utils.errors import UserError

Tree = dict[str, Any]

_ITSELF = "run"  # the key of a grid that stands for the run as a whole


class GridConfig(Closed):
    """Runs with all combinations of some values.

    A combination is named after the grid, the last parts of the keys and the values, for example
    `width-num_channels_32-seed_1`; where values are named, by those names.
    """

    run: dict[str, Any] = Field(
        default={}, description="What the runs have in common, as in `runs.<name>`."
    )
    vary: dict[str, list[Any] | dict[Name, Any]] = Field(
        min_length=1,
        description="Values by dotted key, e.g. `model.num_channels: [16, 32]`, or named values, "
        "e.g. `model: {small: {num_channels: 16}, large: {num_channels: 64, l_max: 3}}`. The key "
        "`run` stands for the run itself: its named values are tables of several keys.",
    )


class TablesConfig(Closed):
    """Datasets and runs as tables: tab-separated, a header line, then a row for each.

    Empty lines and lines that begin with `#` are left out.

    The first columns are `dataset` (in `datasets`) or `run` (in `runs`): the name. All others are
    named by dotted keys, e.g. `model.num_channels`; an empty cell leaves the key out.
    """

    datasets: str | None = Field(default=None, description="Path of the table of datasets.")
    runs: str | None = Field(default=None, description="Path of the table of runs.")


class Shorthand(BaseModel):
    """The parts of a study file that stand for more datasets and runs."""

    defaults: dict[str, Any] = Field(
        default={}, description="What all runs have that do not say otherwise, as in `runs.<name>`."
    )
    grids: dict[Name, GridConfig] = Field(
        default={}, description="More runs: all combinations of some values."
    )
    tables: TablesConfig = Field(
        default=TablesConfig(), description="More datasets and runs, from tables."
    )


def expand_study(study: Mapping[str, Any]) -> Tree:
    """The study with every dataset and run written out; the parts that say so stay as they are.

    Raises:
        UserError: if a table cannot be read or a name occurs twice.
        pydantic.ValidationError: if grids, tables or defaults are not what they should be.
    """
    short = Shorthand.model_validate(study)
    from_grids = [run for name, grid in short.grids.items() for run in _combinations(name, grid)]
    more = {
        "datasets": _rows(short.tables.datasets, "dataset"),
        "runs": [*_rows(short.tables.runs, "run"), *from_grids],
    }
    expanded = {**study, **{key: _join(key, study.get(key), more[key]) for key in more}}
    if isinstance(runs := expanded["runs"], Mapping):
        expanded["runs"] = {name: merge(short.defaults, run) for name, run in runs.items()}
    # Elsewhere `null` means something: no physics checks, for example.
    return {key: value for key, value in expanded.items() if value is not None or key not in more}


def merge(defaults: Any, given: Any) -> Any:
    """What is given, and below it the defaults; tables are merged key by key.

    A table with another ``architecture`` replaces that of the defaults: its keys are others.
    """
    if not (isinstance(defaults, Mapping) and isinstance(given, Mapping)):
        return given
    kind = given.get("architecture", defaults.get("architecture"))
    if kind != defaults.get("architecture", kind):
        return given
    merged = {key: merge(defaults[key], given[key]) for key in given if key in defaults}
    return {**defaults, **given, **merged}


def _join(key: str, written: Any, more: list[tuple[str, Tree]]) -> Any:
    """Those of the study file and those of tables and grids, in this order."""
    if not more or not isinstance(written, Mapping | None):
        return written
    joined = dict(written or {})
    for name, value in more:
        if name in joined:
            raise UserError(f"{key}: the name {name!r} is given twice; rename one")
        joined[name] = value
    return joined


def _combinations(name: str, grid: GridConfig) -> Iterator[tuple[str, Tree]]:
    labels = _labels(list(grid.vary))
    axes = [
        [(key, text, value) for text, value in _named(labels[key], values)]
        for key, values in grid.vary.items()
    ]
    for combination in product(*axes):
        run: Tree = grid.run
        for key, _, value in combination:
            run = merge(run, value if key == _ITSELF else nested(key, value))
        yield "-".join([name, *(text for _, text, _ in combination)]), run


def _labels(keys: list[str]) -> dict[str, str]:
    """The last part of each key, or the whole of it where two end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def _named(label: str, values: list[Any] | dict[str, Any]) -> list[tuple[str, Any]]:
    if not values:
        raise UserError(f"grids: {label}: no values; give some, or leave the key out")
    if isinstance(values, dict):
        return list(values.items())
    for value in values:
        if isinstance(value, Mapping | list):
            raise UserError(f"grids: {label}: give {value!r} a name, as in `{{name: {value!r}}}`")
    return [(f"{label}_{value}", value) for value in values]


def nested(key: str, value: Any) -> Tree:
    """``a.b`` and 1 as ``{"a": {"b": 1}}``."""
    for part in reversed(key.split(".")):
        value = {part: value}
    tree: Tree = value
    return tree


def _rows(path: str | None, what: str) -> list[tuple[str, Tree]]:
    if path is None:
        return []
    if not Path(path).is_file():
        raise UserError(f"tables.{what}s: {path}: no such file; paths are relative to {Path.cwd()}")
    lines = _lines(path)
    _, header = next(lines, (0, [""]))
    if what not in header:
        raise UserError(
            f"{path}: no column {what!r} (there are: {', '.join(header)}); "
            "columns are separated by tabs"
        )
    if twice := next((key for key in header if header.count(key) > 1), None):
        raise UserError(f"{path}: the column {twice!r} is there twice; remove one")
    rows = []
    for number, cells in lines:
        place = f"{path}: line {number}"
        if len(cells) != len(header):
            raise UserError(f"{place}: {len(cells)} cells under {len(header)} columns")
        row = dict(zip(header, cells, strict=True))
        name = row.pop(what)
        if not name:
            raise UserError(f"{place}: no name in column {what!r}")
        rows.append((name, _row(f"{path}: {name}", row)))
    return rows


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Cells by number of the line; without empty lines and those that begin with ``#``."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t")
            for cells in reader:
                if any(cells) and not cells[0].startswith("#"):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a tab-separated table ({error})") from None


def _row(place: str, row: dict[str, str]) -> Tree:
    tree: Tree = {}
    for key, text in row.items():
        if text:
            tree = merge(tree, nested(key, _value(text, f"{place}: {key}")))
    return tree


def _value(text: str, place: str) -> Any:
    """A cell as YAML reads it: numbers, words, ``[lists]`` and ``{tables: 1}``."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"{place}: {text!r} is not a value of YAML; quote it") from None
