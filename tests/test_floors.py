"""The rooms of the package lie on floors: none imports from above, and none in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlip_core"

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


def test_package_does_not_know_the_workflow_engine() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        assert not any(name.split(".")[0] == "snakemake" for name in imports(path)), path
