"""Defaults, grids and tables: what runs they make, and what is said about mistakes in them."""

from pathlib import Path
from typing import Any

import pytest

from mlip_core.study.config import StudyConfig, load_study
from mlip_core.study.expansion import merge
from mlip_core.utils.errors import UserError


def study(**parts: Any) -> dict[str, Any]:
    """A study without runs but for what is given."""
    water = {"source": {"files": ["water.xyz"]}, "split": {"train": 8}}
    defaults = {"dataset": "water", "training": {"num_epochs": 3}}
    return {"datasets": {"water": water}, "defaults": defaults} | parts


def refused(mapping: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:  # noqa: PT011 - each test looks at the message
        load_study(mapping, "study.yaml")
    return str(caught.value)


def test_defaults_stand_below_what_a_run_says() -> None:
    runs = load_study(
        study(runs={"long": {"training": {"num_epochs": 9}}, "small": {"batch_size": 2}})
    ).runs
    assert (runs["long"].training.num_epochs, runs["long"].batch_size) == (9, 4)
    assert (runs["small"].training.num_epochs, runs["small"].batch_size) == (3, 2)


def test_another_architecture_does_not_inherit_hyperparameters() -> None:
    defaults = {"model": {"architecture": "mace", "correlation": 2}, "batch_size": 4}
    given = {"model": {"architecture": "visnet", "num_heads": 4}}
    assert merge(defaults, given) == {**given, "batch_size": 4}
    same = {"model": {"architecture": "mace", "l_max": 1}}
    assert merge(defaults, same)["model"] == {"architecture": "mace", "correlation": 2, "l_max": 1}


def test_an_architecture_that_is_no_word_is_a_mistake_and_no_traceback() -> None:
    defaults = {
        "dataset": "water",
        "training": {"num_epochs": 3},
        "model": {"architecture": "mace"},
    }
    message = refused(study(defaults=defaults, runs={"a": {"model": {"architecture": ["visnet"]}}}))
    assert message.startswith("study.yaml: runs.a.model.architecture: ['visnet'] is not allowed")


def test_grid_makes_all_combinations_with_readable_names() -> None:
    grid = {
        "run": {"model": {"l_max": 1}},
        "vary": {"model.num_channels": [16, 32], "seed": [1, 2, 3]},
    }
    loaded = load_study(study(grids={"width": grid}))
    assert list(loaded.runs) == [
        f"width-num_channels_{n}-seed_{seed}" for n in (16, 32) for seed in (1, 2, 3)
    ]
    run = loaded.runs["width-num_channels_16-seed_3"]
    assert (run.model.network.num_channels, run.model.network.l_max) == (16, 1)
    assert (run.seed, run.dataset) == (3, "water")


def test_grid_names_values_that_are_tables() -> None:
    sizes = {"small": {"num_channels": 8}, "large": {"num_channels": 64, "l_max": 2}}
    loaded = load_study(study(grids={"size": {"vary": {"model": sizes}}}))
    assert list(loaded.runs) == ["size-small", "size-large"]
    assert loaded.runs["size-large"].model.network.num_channels == 64
    unnamed = {"vary": {"model": [{"num_channels": 8}]}}
    assert refused(study(grids={"size": unnamed})) == (
        "grids: model: give {'num_channels': 8} a name, as in `{name: {'num_channels': 8}}`"
    )


def test_values_of_a_whole_run_change_several_keys_at_once() -> None:
    short = {"train_size": 4, "training": {"num_epochs": 10}}
    loaded = load_study(study(grids={"curve": {"vary": {"run": {"few": short, "all": {}}}}}))
    few, everything = loaded.runs["curve-few"], loaded.runs["curve-all"]
    assert (few.train_size, few.training.num_epochs) == (4, 10)
    assert (everything.train_size, everything.training.num_epochs) == (None, 3)


def test_keys_that_end_alike_are_named_in_full() -> None:
    vary = {"optimizer.warmup_steps": [1], "loss.energy_weight": [2], "x.warmup_steps": [3]}
    message = refused(study(grids={"g": {"vary": vary}}))
    assert message.startswith("study.yaml: runs.g-optimizer.warmup_steps_1-energy_weight_2-x.warm")


def test_mistake_in_a_grid_names_the_run_and_the_key() -> None:
    message = refused(study(grids={"width": {"vary": {"model.num_chanels": [16]}}}))
    assert message.startswith(
        "study.yaml: runs.width-num_chanels_16.model.num_chanels: unknown key for architecture"
        " 'mace', did you mean 'num_channels'?"
    )
    assert refused(study(grids={"width": {"vary": {}}})).startswith("study.yaml: grids.width.vary")
    for none in ([], {}):
        message = refused(study(grids={"width": {"vary": {"seed": none}}}))
        assert message == "grids: seed: no values; give some, or leave the key out"


def test_tables_make_datasets_and_runs(tmp_path: Path) -> None:
    datasets, runs = tmp_path / "datasets.tsv", tmp_path / "runs.tsv"
    datasets.write_text(
        "dataset\tsource.files\tsplit.train\tgraph.graph_cutoff_angstrom\n"
        "ice\t[ice#1.xyz, more.xyz]\t0.8\t\n"
        "steam\t[steam.xyz]\t20\t4.5\n"
    )
    runs.write_text(
        "# a comment\nrun\tdataset\tmodel.architecture\tmodel.num_channels\tseed\n"
        "a\tice\tmace\t16\t1\n\n#c\td\n  b \tsteam\tvisnet\t\t2\n"
    )
    tables = {"datasets": str(datasets), "runs": str(runs)}
    best = {"metric": "mae_f"}
    loaded = load_study(study(tables=tables, runs={"first": {}}, select_best=best))
    assert list(loaded.datasets) == ["water", "ice", "steam"]
    assert loaded.datasets["ice"].source.files == ["ice#1.xyz", "more.xyz"]
    assert loaded.datasets["steam"].split.train == 20
    assert [loaded.datasets[d].graph.graph_cutoff_angstrom for d in ("ice", "steam")] == [5.0, 4.5]
    assert list(loaded.runs) == ["first", "a", "b"]
    assert (loaded.runs["b"].model.architecture, loaded.runs["b"].seed) == ("visnet", 2)
    assert StudyConfig.model_validate(loaded.model_dump(mode="json")) == loaded


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("run,seed\na,1\n", "no column 'run' (there are: run,seed); columns are separated by tabs"),
        ("run\tseed\n\t1\n", "line 2: no name in column 'run'"),
        ("run\tseed\na\t1\t\n", "line 2: 3 cells under 2 columns"),
        ("# b\n\nrun\tseed\na\n", "line 4: 1 cells under 2 columns"),
        ("run\tseed\tseed\na\t1\t2\n", "the column 'seed' is there twice; remove one"),
        ("run\tseed\nb\udcff\t1\n", "not a tab-separated table ('utf-8' codec can't dec"),
        ("run\tseed\na\t[1\n", "a: seed: '[1' is not a value of YAML; quote it"),
        ("", "no column 'run' (there are: ); columns are separated by tabs"),
    ],
)
def test_mistakes_in_a_table_name_file_and_line(
    tmp_path: Path, content: str, expected: str
) -> None:
    path = tmp_path / "runs.tsv"
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert refused(study(tables={"runs": str(path)})).startswith(f"{path}: {expected}")


def test_missing_table_and_names_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "runs.tsv"
    missing = refused(study(tables={"runs": str(path)}))
    assert missing == f"tables.runs: {path}: no such file; paths are relative to {Path.cwd()}"
    path.write_text("run\na\na\n")
    twice = refused(study(tables={"runs": str(path)}))
    assert twice == "runs: the name 'a' is given twice; rename one"


def test_no_run_at_all_is_a_mistake() -> None:
    assert refused(study()).startswith("study.yaml: runs: missing")


def test_null_is_not_the_default_where_it_means_something() -> None:
    runs = {"a": {}}
    assert load_study(study(runs=runs, physics=None, cost=None)).physics is None
    found = load_study(study(runs=runs, physics={"nve": None})).physics
    assert found is not None
    assert "nve" not in found.checks
    assert "dimers" in found.checks
    assert load_study(study(runs=runs)).physics is not None
