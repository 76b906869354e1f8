"""Files by address: what the config takes, and where they lie."""

from typing import Any

import pytest

from mlip_core.study.config import load_study
from mlip_core.study.remote_file import local_paths
from mlip_core.utils.errors import UserError

SHA256 = "ab" * 32
URL = "https://example.org/some%20data/mol.xyz.gz?download=1"


def study(file: Any, split: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "datasets": {"a": {"source": {"files": ["here.xyz", file]}, "split": split or {}}},
        "runs": {"b": {"dataset": "a", "training": {"num_epochs": 1}}},
    }


def test_file_lies_where_its_content_says() -> None:
    loaded = load_study(study({"url": URL, "sha256": SHA256}))
    assert local_paths(loaded.source_files) == [
        "here.xyz",
        f"results/downloads/{SHA256}/mol.xyz.gz",
    ]


def test_split_names_it_by_its_address() -> None:
    mapping = study({"url": URL, "sha256": SHA256}, {"test": {"files": [URL]}})
    split = load_study(mapping).split_config("a")
    assert split.files == {"test": [f"results/downloads/{SHA256}/mol.xyz.gz"]}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"url": URL}, r"files\[1\].sha256: missing"),
        (
            {"url": URL, "sha256": "ab"},
            r"^config: datasets.*files\[1\].sha256: 'ab': .* should match",
        ),
        (
            {"url": "ftp://x.org/a", "sha256": SHA256},
            r"files\[1\].url: 'ftp.* should be an address",
        ),
        ({"url": "https://x.org/", "sha256": SHA256}, r"should end in the name of a file"),
        ({"url": URL, "sha256": SHA256, "md5": "1"}, r"files\[1\].md5: unknown key"),
    ],
)
def test_mistakes_name_the_key(file: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_study(study(file))


def test_split_does_not_name_files_of_a_storage_plugin() -> None:
    with pytest.raises(UserError, match=r"split.test.files: 's3://x/y' is got by a storage plugin"):
        load_study(study("s3://x/y", {"test": {"files": ["s3://x/y"]}}))
