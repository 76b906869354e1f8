"""The generated files are those that the code gives."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from mlip_core.study.schema import drift, generated_files, study_schema

ROOT = Path(__file__).parents[2]


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


def test_schema_accepts_the_default_study_and_refuses_unknown_keys() -> None:
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    jsonschema.validate(study, schema)
    with pytest.raises(jsonschema.ValidationError, match="sede"):
        jsonschema.validate(study | {"sede": 1}, schema)
