"""The workflow as a part of another one."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
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

# As snakedeploy writes it, profiles beside it, but for `github(…)`, whose files come from a server.
DEPLOYED = """
configfile: "config/config.yaml"


module potential:
    snakefile:
        gitfile("{repository}", path="workflow/Snakefile", ref="main")
    config:
        config


use rule * from potential
"""


def test_other_workflow_uses_it_as_a_module(tmp_path: Path) -> None:
    code = tmp_path / "other"
    code.mkdir()
    (code / "Snakefile").write_text(OTHER.format(workflow=ROOT))
    study = StudyDirectory(tmp_path)

    def nest(mapping: dict[str, Any]) -> None:
        mapping["datasets"]["ethane"]["source"]["reference"]["dynamics"] |= {
            "trajectories_per_temperature": 1,
            "frames_per_trajectory": 24,
        }
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


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_it_is_deployed_from_a_repository(tmp_path: Path) -> None:
    repository, code = tmp_path / "repository", tmp_path / "deployed"
    shutil.copytree(ROOT / "workflow", repository / "workflow")
    shutil.copy(ROOT / "environment.yml", repository)
    git = ["git", "-C", str(repository), "-c", "user.name=Test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Workflow"]):
        subprocess.run([*git, *command], check=True)
    shutil.copytree(ROOT / "profiles", code / "profiles")
    (code / "Snakefile").write_text(DEPLOYED.format(repository=repository))
    study = StudyDirectory(tmp_path, code)
    study.configure()
    assert study.snakemake("--dry-run").planned["train_run"] == 1
    result = study.snakemake("results/datasets/ethane/reference/isolated-atoms.extxyz")
    assert result.status == 0, result.output


def test_catalogue_finds_what_it_asks_for() -> None:
    catalogue = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalogue["usage"]["software-stack-deployment"]["conda"] is True
    assert (ROOT / "config/README.md").is_file()
    assert (ROOT / "workflow/Snakefile").is_file()
