"""Shows the report on this machine and keeps it up to date: the page asks, and gets newer data when there is some."""

from __future__ import annotations

import threading
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from assay.errors import AssayError
from assay.report.content import Sources, gather
from assay.report.page import as_json, render
from assay.store import Store

HOST = "127.0.0.1"


class Server(ThreadingHTTPServer):
    """Serves the page at `/` and its data at `/data.json`, to this machine alone. `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, sources: Sources, port: int = 0) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise AssayError(
                f"cannot serve on port {port}: {error}; name another by --port, 0 takes a free one"
            ) from None
        self.sources = sources
        self._lock = threading.Lock()
        self._kept = ("", "")

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"

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
                self._kept = (stamp, as_json(gather(self.sources)))
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
                self._answer(
                    HTTPStatus.OK, "text/html", render({**gather(self.server.sources), "stamp": stamp}, live=True)
                )
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

    def _answer(self, status: HTTPStatus, kind: str, text: str, stamp: str = "") -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
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


def serve(sources: Sources, port: int) -> None:
    """Serve until interrupted. Raises AssayError when the port is taken or nothing can be gathered."""
    gather(sources)
    with Server(sources, port) as server:
        print(f"{server.url} shows the report while runs go on; Ctrl-C stops it", flush=True)
        webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
