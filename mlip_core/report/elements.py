"""What pages are put together from: tables, facts, folded files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlip_core.report.formats import MISSING, is_missing, significant


@dataclass(frozen=True)
class Column:
    """A column: its heading and its unit."""

    label: str
    unit: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is read.
        value: what sorting compares; empty if there is nothing.
        more: said more quietly after the text.
        passed: marks a test that passed or failed.
        href: where a click leads, relative to the report's folder.
    """

    text: str
    value: str = ""
    more: str = ""
    passed: bool | None = None
    href: str = ""


@dataclass(frozen=True)
class Row:
    """One row; its first cell is the row's heading.

    Attributes:
        cells: one for each column.
        badge: shown at the row's heading.
        kind: of the row, by which the table can be filtered.
    """

    cells: Sequence[Cell]
    badge: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``sortable`` by a click on a heading."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    sortable: bool = False


@dataclass(frozen=True)
class Fact:
    """A name and what there is to say."""

    label: str
    value: str


@dataclass(frozen=True)
class Appendix:
    """A file shown as it is, folded away."""

    title: str
    text: str


@dataclass(frozen=True)
class Tile:
    """A figure that says it all, at the top of a page."""

    label: str
    value: str
    unit: str = ""
    more: str = ""
    passed: bool | None = None


def word(text: Any, href: str = "", more: str = "") -> Cell:
    """A cell of text."""
    return Cell(str(text), str(text), more=more, href=href)


def number(value: Any, text: str | None = None, more: str = "") -> Cell:
    """A cell of a number, in three digits unless its text is given."""
    if is_missing(value):
        return Cell(MISSING)
    return Cell(significant(value) if text is None else text, repr(float(value)), more=more)
