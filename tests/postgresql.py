"""A PostgreSQL cluster for the tests: its own folder, its own port, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def missing() -> str:
    """Return why no cluster can be started here, empty when one can."""
    if not binaries():
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed (pip install 'assay[postgresql]')"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL does not run as root, and there is no runuser"
    return ""


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster and give the URL of its database; PostgreSQL refuses root, so root starts it as `postgres`."""
    bin_folder = binaries()
    assert bin_folder is not None
    root = os.geteuid() == 0
    user = ["runuser", "-u", "postgres", "--"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    if root:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, options = folder / "data", f"-p {port} -h 127.0.0.1 -k {folder} -F"

    def call(*command: object) -> None:
        subprocess.run([*user, *map(str, command)], check=True, capture_output=True, cwd=folder)

    call(bin_folder / "initdb", "-D", data, "-U", "assay", "-A", "trust", "-N")
    try:
        call(bin_folder / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        yield f"postgresql://assay@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            call(bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
