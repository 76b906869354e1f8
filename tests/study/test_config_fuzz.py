"""Study files made by chance: each is a study, or one line for each mistake."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from mlip_core.study.config import load_study
from mlip_core.utils.errors import UserError
from tests.fuzzing import EDITS, VALUES, edited, number_of_cases, run

ROOT = Path(__file__).parents[2]
SOUND = [path.read_text() for path in sorted((ROOT / "config").rglob("*.yaml"))]
CASES = number_of_cases(50, 2_000)

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> list[Place]:
    """Where something stands in a tree."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [place, *(found for key, one in items for found in places(one, (*place, key)))]


def replaced(tree: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    tree = deepcopy(tree)
    inner = tree
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return tree


def load(tree: Any) -> None:
    """As Snakemake does, which refuses by itself what is no table."""
    if not isinstance(tree, dict):
        return
    try:
        load_study(tree, "config.yaml")
    except UserError as error:
        for line in str(error).split("\n"):
            assert line.isprintable()
            assert ": " in line


@CASES
def test_trees(cases: int) -> None:
    keys = st.sampled_from(["datasets", "runs", "seed", "physics", "grids", "defaults", "tables"])
    run(st.dictionaries(keys | st.text(max_size=3), VALUES), load, cases)


@CASES
def test_values(cases: int) -> None:
    """Anything in the place of something."""
    studies = [yaml.safe_load(text) for text in SOUND]
    spots = [[(study, place) for place in places(study)] for study in studies]

    def check(case: tuple[tuple[Any, Place], Any]) -> None:
        (study, place), value = case
        load(replaced(study, place, value))

    where = st.one_of([st.sampled_from(some) for some in spots])
    values = VALUES | st.sampled_from([place for some in spots for _, place in some]).map(list)
    run(st.tuples(where, values), check, cases)


@CASES
def test_subtrees(cases: int) -> None:
    """Parts of studies in wrong places."""
    studies = [yaml.safe_load(text) for text in SOUND]
    spots = [(study, place) for study in studies for place in places(study)]

    def check(case: tuple[tuple[Any, Place], tuple[Any, Place]]) -> None:
        (study, place), (other, source) = case
        for key in source:
            other = other[key]
        load(replaced(study, place, other))

    run(st.tuples(st.sampled_from(spots), st.sampled_from(spots)), check, cases)


@CASES
def test_bytes(cases: int) -> None:
    """What is no YAML is refused by the parser, which makes no objects but plain ones."""

    def check(case: tuple[str, list[tuple[float, int, bytes]]]) -> None:
        text, edits = case
        try:
            tree = yaml.safe_load(edited(text.encode(), edits))
        except (yaml.YAMLError, ValueError):
            return
        load(tree)

    run(st.tuples(st.sampled_from(SOUND), EDITS), check, cases)
