"""The workflow as a part of another one."""

from pathlib import Path
from typing import Any

import yaml

from tests.workflow.tiny_study import ROOT, StudyDirectory

OTHER = """
configfile: "config/config.yaml"


module mlip:
    snakefile:
        "{workflow}/workflow/Snakefile"
    config:
        config["potential"]
    prefix:
        "potential"


use rule * from mlip as mlip_*


rule summary:
    default_target: True
    input:
        rules.mlip_prepare.input,
    output:
        "summary.json",
    shell:
        "cp {{input[0]}} {{output}}"
"""


def test_other_workflow_uses_it_as_a_module(tmp_path: Path) -> None:
    code = tmp_path / "other"
    code.mkdir()
    (code / "Snakefile").write_text(OTHER.format(workflow=ROOT))
    study = StudyDirectory(tmp_path)

    def nest(mapping: dict[str, Any]) -> None:
        inner = dict(mapping)
        mapping.clear()
        mapping["potential"] = inner

    study.configure(nest)
    other = StudyDirectory(tmp_path, code)
    assert other.snakemake("mlip_train", "--dry-run").planned["mlip_train_run"] == 1
    result = other.snakemake()
    assert result.status == 0, result.output
    assert result.rules["mlip_shard"] == 3
    info = tmp_path / "potential/results/datasets/ethane/dataset_info.json"
    assert (tmp_path / "summary.json").read_bytes() == info.read_bytes()


def test_catalogue_finds_what_it_asks_for() -> None:
    catalogue = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalogue["usage"]["software-stack-deployment"]["conda"] is True
    assert (ROOT / "config/README.md").is_file()
    assert (ROOT / "workflow/Snakefile").is_file()
