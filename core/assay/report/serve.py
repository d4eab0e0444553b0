"""Shows the report on this machine and keeps it up to date: the page asks, and gets newer data when there is some."""

from __future__ import annotations

import mimetypes
import threading
import urllib.parse
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.report.content import Sources, gather
from assay.report.page import as_json, render
from assay.report.tracked import INDEX
from assay.store import Store

HOST = "127.0.0.1"
TRACK = "/track/"
"""Where the pages of `assay track publish` are served: opened from disk they may not read their own data."""


class Server(ThreadingHTTPServer):
    """Serves the page at `/`, its data at `/data.json` and a folder of tracks at `/track/`, to this machine alone.

    `port` 0 takes a free one. `track` may be the address of tracks that are served elsewhere.
    """

    daemon_threads = True

    def __init__(self, sources: Sources, port: int = 0, track: Path | str | None = None) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise AssayError(
                f"cannot serve on port {port}: {error}; name another by --port, 0 takes a free one"
            ) from None
        self.sources = sources
        self.track = track.resolve() if isinstance(track, Path) else track
        self._lock = threading.Lock()
        self._kept = ("", "")

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"

    def gather(self) -> dict[str, Any]:
        """Return the page's data, with the link to the tracks."""
        return {**gather(self.sources), "track": TRACK[1:] + INDEX if isinstance(self.track, Path) else self.track}

    def stamp(self) -> str:
        """Return what changes when the store or a file of verdicts does."""
        with Store(self.sources.store, create=False) as store:
            records = store.stamp()
        files = (str(path.stat().st_mtime_ns) for path in self.sources.verdicts if path.exists())
        return "-".join([records, *files])

    def data(self, stamp: str) -> str:
        """Return the data as JSON; it is gathered once for each stamp, however many pages ask."""
        with self._lock:
            if self._kept[0] != stamp:
                self._kept = (stamp, as_json(self.gather()))
            return self._kept[1]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer a page's question."""
        if self.headers.get("Host") not in (
            f"{HOST}:{self.server.server_port}",
            f"localhost:{self.server.server_port}",
        ):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "ask for it by 127.0.0.1")
            return
        try:
            if self.path.partition("?")[0] == "/":
                stamp = self.server.stamp()  # read first: what is written meanwhile is asked for again
                self._answer(HTTPStatus.OK, "text/html", render({**self.server.gather(), "stamp": stamp}, live=True))
            elif self.path.startswith(TRACK):
                self._file(self.server.track)
            elif self.path == "/data.json":
                stamp = self.server.stamp()
                if self.headers.get("If-None-Match") == f'"{stamp}"':
                    self._answer(HTTPStatus.NOT_MODIFIED, "application/json", "", stamp)
                else:
                    self._answer(HTTPStatus.OK, "application/json", self.server.data(stamp), stamp)
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "the report is at /")
        except AssayError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", str(error))

    def _file(self, folder: Path | str | None) -> None:
        """Answer with a file of the tracks' folder, and of no other."""
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.removeprefix(TRACK)) or INDEX
        if isinstance(folder, Path) and "\0" not in name:
            path = (folder / name).resolve()
            if path.is_relative_to(folder) and path.is_file():
                self._answer(HTTPStatus.OK, mimetypes.guess_type(path.name)[0] or "text/plain", path.read_bytes())
                return
        self._answer(HTTPStatus.NOT_FOUND, "text/plain", "the report is at /")

    def _answer(self, status: HTTPStatus, kind: str, content: str | bytes, stamp: str = "") -> None:
        body = content.encode("utf-8", "replace") if isinstance(content, str) else content
        self.send_response(status)
        self.send_header(
            "Content-Type", f"{kind}; charset=utf-8" if kind.startswith(("text/", "application/")) else kind
        )
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if stamp:
            self.send_header("ETag", f'"{stamp}"')
        self.end_headers()
        if status != HTTPStatus.NOT_MODIFIED:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet: a page asks every two seconds."""


def serve(sources: Sources, port: int, track: Path | str | None = None) -> None:
    """Serve until interrupted. Raises AssayError when the port is taken or nothing can be gathered."""
    gather(sources)
    with Server(sources, port, track) as server:
        print(f"{server.url} shows the report while runs go on; Ctrl-C stops it", flush=True)
        webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
