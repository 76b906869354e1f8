"""Files that lie elsewhere: an address and the checksum of what it gives."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from mlip_core.study.config_base import Closed
from mlip_core.utils.secrets import refuse_secrets_in_url

DOWNLOADS = "results/downloads"
"""Directory of all files that were downloaded."""


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("should be an address that begins with https:// or http://")
    name = PurePosixPath(unquote(parts.path)).name
    if name in ("", "..") or not name.isprintable():
        raise ValueError("should end in the name of a file")
    if "${" in parts.netloc + parts.path:
        raise ValueError("an environment variable may stand in the query only, after `?`")
    refuse_secrets_in_url(url)
    return url


def _check_path(path: str) -> str:
    if is_stored_elsewhere(path):
        refuse_secrets_in_url(path)
    return path


class RemoteFile(Closed):
    """A file that is downloaded once and kept, below `results/downloads`."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        description="Address of the file, `https://…` or `http://…`. What it asks for a token is "
        "written `?token=${NAME}`, with the name of an environment variable; user and password "
        "belong into `~/.netrc`."
    )
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the file, 64 digits as `sha256sum` prints them: another content is "
        "refused.",
    )

    @property
    def path(self) -> str:
        """Where it lies here: the same content in the same place, wherever it comes from."""
        name = PurePosixPath(unquote(urlsplit(self.url).path)).name
        return f"{DOWNLOADS}/{self.sha256}/{name}"


SourceFile = Annotated[str, AfterValidator(_check_path)] | RemoteFile
"""A file of structures: a path, a query of a Snakemake storage plugin, or an address."""


def local_paths(files: Iterable[SourceFile]) -> list[str]:
    """Where files lie, or will when they have been downloaded."""
    return [file.path if isinstance(file, RemoteFile) else file for file in files]


def name_of(file: SourceFile) -> str:
    """What the config calls a file elsewhere, as in `split.test.files`."""
    return file.url if isinstance(file, RemoteFile) else file


def is_stored_elsewhere(file: str) -> bool:
    """Whether a path is a query of a storage plugin, such as ``s3://bucket/file.xyz``."""
    return "://" in file
