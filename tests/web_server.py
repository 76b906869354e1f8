"""A web server on this machine: files of a directory, in parts if asked, and mishaps on demand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast


class WebServer(ThreadingHTTPServer):
    """Serves the files of a directory.

    Attributes:
        has_ranges: whether it answers requests for the rest of a file with the rest.
        break_after: numbers of bytes after which it drops its next connections.
        busy: how many of the next requests it answers with 503.
        redirect: address that it sends all others to.
        ranges: what part each request for content asked for.
        paths: what each request for content asked for, with its query.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.directory = directory
        self.has_ranges = True
        self.break_after: list[int] = []
        self.busy = 0
        self.redirect: str | None = None
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """End it; its port refuses connections from now on."""
        self.shutdown()
        self._thread.join()
        self.server_close()


@contextmanager
def web_server(directory: Path) -> Iterator[WebServer]:
    """Serve a directory while the block runs."""
    server = WebServer(directory)
    try:
        yield server
    finally:
        server.stop()


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(WebServer, self.server)
        server.ranges.append(self.headers["Range"])
        server.paths.append(self.path)
        path = server.directory / self.path.partition("?")[0].lstrip("/")
        if server.busy:
            server.busy -= 1
            self.send_error(503)
        elif server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
        elif not path.is_file():
            self.send_error(404)
        else:
            self._send(server, path.read_bytes())

    def do_HEAD(self) -> None:
        server = cast(WebServer, self.server)
        path = server.directory / self.path.lstrip("/")
        self.send_response(200 if path.is_file() else 404)
        self.send_header("Content-Length", str(path.stat().st_size if path.is_file() else 0))
        self.send_header("Last-Modified", self.date_time_string(1_700_000_000))
        self.end_headers()

    def _send(self, server: WebServer, content: bytes) -> None:
        part = self.headers["Range"] if server.has_ranges else None
        start = int(part.removeprefix("bytes=").removesuffix("-")) if part else 0
        if start >= len(content):
            self.send_error(416)
            return
        rest = content[start:]
        self.send_response(206 if part else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.break_after.pop(0)] if server.break_after else rest)

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""
