"""The rooms of the package lie on floors: none imports from above, and none in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mlip_core"

# From the ground up; CONTRIBUTING.md says what lies where.
FLOORS = [
    {"typing", "utils"},
    {"data"},
    {"models"},
    {
        "committee",
        "evaluation",
        "export",
        "inference",
        "physics",
        "reference",
        "report",
        "simulation",
        "study",
        "training",
    },
    {"cli"},
]
LEVELS = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
TOP = len(FLOORS)  # the package itself, whose front page re-exports what lies below


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, and of what it takes from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(room: str) -> set[str]:
    """Other rooms that a room's files import from."""
    names = {name for path in (PACKAGE / room).rglob("*.py") for name in imports(path)}
    return {name.split(".")[1] for name in names if name.startswith("mlip_core.")} - {room}


def rooms_used_by_the_workflow() -> set[str]:
    """Rooms that rules and scripts import from."""
    files = [ROOT / "workflow/Snakefile", *(ROOT / "workflow").rglob("*.smk")]
    files += (ROOT / "workflow").rglob("*.py")
    text = "\n".join(path.read_text() for path in files)
    return set(re.findall(r"^\s*(?:from|import) mlip_core\.(\w+)", text, re.MULTILINE))


def arrows() -> set[tuple[str, str]]:
    """Who imports whom, without the arrows that follow from others."""
    below = {room: rooms_imported(room) for room in LEVELS}
    below["workflow"] = rooms_used_by_the_workflow()
    reached: dict[str, set[str]] = {}
    for room in TopologicalSorter(below).static_order():
        reached[room] = below[room].union(*(reached[other] for other in below[room]))
    return {
        (room, other)
        for room, others in below.items()
        for other in others
        if not any(other in reached[between] for between in others)
    }


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert rooms <= LEVELS.keys()


@pytest.mark.parametrize("room", LEVELS)
def test_no_room_imports_from_above(room: str) -> None:
    assert {
        other for other in rooms_imported(room) if LEVELS.get(other, TOP) > LEVELS[room]
    } == set()


def test_rooms_do_not_import_each_other_in_a_circle() -> None:
    TopologicalSorter({room: rooms_imported(room) for room in LEVELS}).prepare()


def test_drawing_shows_the_imports() -> None:
    """To mend it, put these arrows into the drawing of CONTRIBUTING.md."""
    _, _, drawing = (ROOT / "CONTRIBUTING.md").read_text().partition("```mermaid\n")
    drawn = re.findall(r"^  (\w+) --> (\w+)$", drawing.partition("```")[0], re.MULTILINE)
    assert sorted(drawn) == sorted(arrows())


def test_table_shows_the_floors() -> None:
    """Each floor's line of the table in CONTRIBUTING.md names its rooms, the highest first."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line.split("|")[2] for line in text.splitlines() if re.match(r"\| \d \|", line)]
    named = [set(re.findall(r"`(?:mlip_core/)?(\w+)`", row)) for row in rows]
    assert named[1:] == FLOORS[::-1]


def test_package_does_not_know_the_workflow_engine() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        assert not any(name.split(".")[0] == "snakemake" for name in imports(path)), path
