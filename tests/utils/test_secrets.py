"""Passwords and tokens are refused in configs, and filled in only where they are used."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlip_core.reference.calculators import make_calculator
from mlip_core.reference.config import CalculatorConfig
from mlip_core.study.config import load_study
from mlip_core.study.download import download
from mlip_core.study.repeat import study_of_run
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest
from tests.web_server import web_server

SECRET = "s3cr3t/+value"  # noqa: S105
SHA256 = "ab" * 32


def study_with(file: Any) -> dict[str, Any]:
    return {
        "datasets": {"a": {"source": {"files": [file]}, "split": {}}},
        "runs": {"b": {"dataset": "a", "training": {"num_epochs": 1}}},
    }


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET[:5]}@example.org/a.xyz",
        "https://ghp_abcdef@example.org/a.xyz",
        "https://example.org/a.xyz?token=abcdef",
        "https://example.org/a.xyz?download=1&X-Amz-Signature=abcdef&X-Amz-Date=1",
        "https://example.org/a.xyz?sig=abcdef",
        "https://example.org/a.xyz?TOKEN=abcdef",
        "https://example.org/a.xyz?AWSAccessKeyId=abcdef",
        "https://example.org/a.xyz?api_key=abcdef",
        "https://example.org/a.xyz?accessToken=${A}abcdef",
    ],
)
def test_addresses_with_secrets_are_refused_and_not_repeated(url: str) -> None:
    for file in ({"url": url, "sha256": SHA256}, url.replace("https", "s3")):
        with pytest.raises(UserError, match="would be written into results") as caught:
            load_study(study_with(file))
        assert "abcdef" not in str(caught.value)
        assert SECRET[:5] not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://zenodo.org/records/1/files/a.xyz?download=1",
        "https://example.org/a.xyz?version=2&format=extxyz&design=3&author=me",
        "https://example.org/a.xyz?token=${TOKEN}",
    ],
)
def test_other_addresses_are_as_they_were(url: str) -> None:
    study = load_study(study_with({"url": url, "sha256": SHA256}))
    assert url in json.dumps(study_of_run(study, "b"))


def test_token_is_sent_and_stands_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/a.xyz").write_text("content")
    digest = file_digest(tmp_path / "served/a.xyz")
    target = tmp_path / "a.xyz"
    with web_server(tmp_path / "served") as server:
        url = f"{server.url}/a.xyz?token=${{TOKEN}}"
        with pytest.raises(UserError, match=r"\$\{TOKEN\}: there is no such environment variable"):
            download(url, digest, target)
        monkeypatch.setenv("TOKEN", SECRET)
        download(url, digest, target)
    assert server.paths[-1].endswith(f"?token={SECRET}")
    target.unlink()
    with pytest.raises(UserError, match=r"not to be had in 5 attempts.*refused") as caught:
        download(url, digest, target, pause_seconds=0.001)
    assert SECRET not in str(caught.value)
    assert "${TOKEN}" in str(caught.value)


def make_something(**arguments: str) -> None:
    raise ValueError(f"wrong: {arguments}")


def test_calculators_get_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="would be written into results"):
        CalculatorConfig(calculator="emt", arguments={"options": {"api_key": "abc"}})
    monkeypatch.setenv("TOKEN", SECRET)
    config = CalculatorConfig(
        calculator=f"{__name__}.make_something", arguments={"token": "${TOKEN}"}
    )
    with pytest.raises(UserError, match=r"wrong: \{'token': '\$\{TOKEN\}'\}") as caught:
        make_calculator(config.calculator, config.arguments)
    assert SECRET not in str(caught.value)
