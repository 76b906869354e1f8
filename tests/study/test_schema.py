"""The generated files are those that the code gives."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from mlip_core.models.registry import architectures, network_class
from mlip_core.study.schema import drift, file_schema, generated_files, study_schema

ROOT = Path(__file__).parents[2]
STUDIES = [ROOT / "config/config.yaml", *sorted((ROOT / "config/examples").glob("*.yaml"))]


def test_generated_files_have_not_drifted() -> None:
    difference = drift(ROOT)
    assert not difference, f"{difference}\nRepair it with: python -m mlip_core.study.schema --fix"


def test_drift_is_seen(tmp_path: Path) -> None:
    for path, content in generated_files(ROOT).items():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_text(content.replace("title", "titel", 1))
    difference = drift(tmp_path)
    assert "-" in difference
    assert "config.schema.json" in difference
    assert "titel" in difference


def test_every_key_is_described() -> None:
    schema = study_schema()
    parts = [schema, *schema["$defs"].values()]
    missing = [
        (part["title"], name)
        for part in parts
        for name, entry in part.get("properties", {}).items()
        if not entry.get("description")
    ]
    assert missing == []


def test_every_key_of_the_schema_stands_in_the_reference() -> None:
    reference = (ROOT / "config/README.md").read_text()
    schema = study_schema()
    names = [n for part in [schema, *schema["$defs"].values()] for n in part.get("properties", {})]
    assert [name for name in names if f"| `{name}` |" not in reference] == []


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_schema_accepts_all_studies_and_refuses_unknown_keys(path: Path) -> None:
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    study = yaml.safe_load(path.read_text())
    jsonschema.validate(study, schema)
    with pytest.raises(jsonschema.ValidationError, match="sede"):
        jsonschema.validate(study | {"sede": 1}, schema)


def test_schema_takes_what_a_run_must_have_from_defaults() -> None:
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    del study["runs"]
    defaults = {"dataset": "ethanol", "training": {"num_epochs": 3}, "batch_size": 2}
    run = {"training": {"ema_decay": 0.9}, "batch_size": 4}
    for more in (
        {"runs": {"a": run}},
        {"grids": {"b": {"run": run, "vary": {"seed": [1, 2]}}}},
        {"tables": {"runs": "runs.tsv"}},
    ):
        jsonschema.validate({**study, "defaults": defaults, **more}, file_schema())
    for wrong in (
        {"defaults": defaults | {"batchsize": 2}},
        {"runs": {"a": {"training": {"ema": 0.9}}}},
        {"grids": {"b": {"run": {"seed": "x"}, "vary": {"seed": [1]}}}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**study, **wrong}, file_schema())


@pytest.mark.parametrize("architecture", architectures())
def test_schema_knows_the_hyperparameters_of_each_architecture(architecture: str) -> None:
    schema = study_schema()
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    (run,) = study["runs"].values()
    for model in ({"architecture": architecture}, {"architecture": architecture, "num_layers": 1}):
        run["model"] = model
        jsonschema.validate(study, schema)
    for other in set(architectures()) - {architecture}:
        keys = network_class(other).Config.model_fields.keys()
        key = next(iter(keys - network_class(architecture).Config.model_fields.keys()))
        run["model"] = {"architecture": architecture, key: 1}
        with pytest.raises(jsonschema.ValidationError, match=key):
            jsonschema.validate(study, schema)


def test_schema_takes_a_model_without_architecture_for_mace() -> None:
    schema = study_schema()
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    (run,) = study["runs"].values()
    for model in ({}, {"num_channels": 4}, {"correlation": 2}):
        run["model"] = model
        jsonschema.validate(study, schema)
    for model in ({"node_irreps": "4x0e"}, {"num_heads": 2}, {"architecture": "nequipp"}):
        run["model"] = model
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(study, schema)


@pytest.mark.parametrize("architecture", architectures())
def test_reference_has_a_table_for_each_architecture(architecture: str) -> None:
    title = f"## `runs.<name>.model` with `architecture: {architecture}`\n"
    _, found, rest = (ROOT / "config/README.md").read_text().partition(title)
    assert found
    table = rest.partition("\n## ")[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(rows) == {*network_class(architecture).Config.model_fields, "architecture"}
    assert "see below" not in table
