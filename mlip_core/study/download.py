"""Files from the web, compared with their checksums."""

import os
import time
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest
from mlip_core.utils.secrets import with_secrets, without_secrets

ATTEMPTS = 5
"""How often a server is asked that does not answer, or stops in the middle."""

_PAUSE_SECONDS = 1.0  # before the second attempt; then twice as long each time
_TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, and between two pieces
_PIECE_BYTES = 1 << 20
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_NOTHING_LEFT = 416  # there is no byte after those that have arrived


def download(
    url: str,
    sha256: str,
    path: str | os.PathLike[str],
    pause_seconds: float = _PAUSE_SECONDS,
) -> None:
    """Fetch a file; it appears under its name when it is complete and right.

    What has arrived is kept in ``<path>.part``: a download that broke off goes on from there.

    Args:
        url: the address; environment variables that it names are filled in.
        sha256: checksum that the content must have, in hexadecimal.
        path: where to put it; missing directories are made.
        pause_seconds: how long to wait before the second attempt.

    Raises:
        UserError: if the server cannot be reached, does not have the file, or sends something else.
    """
    partial = Path(f"{os.fspath(path)}.part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    _fetch_patiently(url, partial, pause_seconds)
    found = file_digest(partial)
    if found != sha256:
        size = partial.stat().st_size
        partial.unlink()
        raise UserError(
            f"{url}: its content ({size} bytes) has SHA-256 {found}, the config says {sha256};"
            " correct the address or the checksum"
        )
    partial.replace(path)


def _fetch_patiently(url: str, partial: Path, pause_seconds: float) -> None:
    for attempt in range(ATTEMPTS):
        try:
            return _fetch_rest(url, partial)
        except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
            reason = without_secrets(str(error), url)
            if attempt + 1 < ATTEMPTS:
                time.sleep(pause_seconds * 2**attempt)
        except requests.RequestException as error:  # nothing that passes: redirects without end …
            reason = without_secrets(str(error), url)
            raise UserError(f"{url}: not to be had ({reason}); correct the address") from None
    raise UserError(
        f"{url}: not to be had in {ATTEMPTS} attempts ({reason}); is there a network here? The same"
        " command goes on where the download stopped"
    )


def _fetch_rest(url: str, partial: Path) -> None:
    """Append what is missing, or write all of it if the server cannot give a part."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    address = with_secrets(url)
    with requests.get(address, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        status = response.status_code
        if start and status == _NOTHING_LEFT:
            return
        if status in _TRY_AGAIN:
            raise requests.ConnectionError(f"the server says {status} {response.reason}")
        if not response.ok:
            raise UserError(f"{url}: {status} {response.reason}; correct the address")
        with open(partial, "ab" if status == requests.codes.partial_content else "wb") as file:
            # As it is sent: a compressed file stays one.
            for piece in response.raw.stream(_PIECE_BYTES, decode_content=False):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
