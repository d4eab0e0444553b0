"""The process from which a pool's workers are forked: plugins and libraries are loaded in it once.

`python -m assay.executors.forkserver FD` reads the packed manifest from stdin, then answers requests on the socket FD.
Not multiprocessing's: that one is a single one for the whole program, imports the user's main module again, and does
not tend to processes that a worker leaves behind.

A request is one byte with three descriptors: the worker's channel, where its output goes, where its stack goes. Answers
are pairs of numbers: (pid, FORKED), and (pid, wait status) when a worker has ended and nothing that it started is left.
When the socket closes, whichever way the pool ended, every process goes and the folder of scratch files too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from assay.context import THREAD_VARIABLES, THREADS
from assay.errors import AssayError, RunError
from assay.executors.system import DEATH_SIGNAL, SUBREAPER, kill_descendants, kill_tree, prctl

ANSWER = struct.Struct("=qq")
FORKED = -1
STACK_SIGNAL = getattr(signal, "SIGUSR2", 0)
"""Makes a worker write down the stack of what it runs."""
CLOSING_SECONDS = 10.0
"""How long a server may take to end all its processes before it is ended with them."""


class ForkServer:
    """The pool's end: starts the server, asks for workers, is told of their ends."""

    def __init__(self, packed: bytes) -> None:
        if not hasattr(os, "fork"):
            raise AssayError("the pool forks processes, which this system cannot: use --executor inline or dask")
        self.folder = Path(tempfile.mkdtemp(prefix="assay-pool-"))
        self.socket, theirs = socket.socketpair()
        self._answers = bytearray()
        with theirs, open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(THREADS)), "PYTHONPATH": _search_path()},
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(packed)
        self.socket.setblocking(False)

    def fork(self, *descriptors: int) -> None:
        """Ask for a worker with its channel, output and stack descriptors."""
        try:
            socket.send_fds(self.socket, [b"f"], list(descriptors))
        except OSError as error:
            raise self.lost() from error

    def answers(self) -> list[tuple[int, int]]:
        """Return the pairs (pid, status) that have come; raise RunError when the server is gone."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        if not data:
            raise self.lost()
        self._answers += data
        whole = len(self._answers) // ANSWER.size * ANSWER.size
        pairs = [(int(pid), int(status)) for pid, status in ANSWER.iter_unpack(bytes(self._answers[:whole]))]
        del self._answers[:whole]
        return pairs

    def lost(self) -> RunError:
        """Return the error that says why there is no server."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        text = (self.folder / "log").read_text(errors="replace").strip() if self.folder.exists() else ""
        status = self._process.returncode
        return RunError(f"the pool's fork server ended (status {status}); its last words: {text[-1500:] or 'none'}")

    def close(self) -> None:
        """End every process of the pool and remove its files."""
        self.socket.close()
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            kill_tree(self._process.pid)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _search_path() -> str:
    return os.pathsep.join(path or os.getcwd() for path in sys.path)


def main(descriptor: int, folder: Path) -> None:
    """Load the plugins, then fork workers until the socket closes."""
    from assay.executors.shipping import Workshop
    from assay.executors.worker import serve

    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prctl(SUBREAPER, 1)
    wake, awake = os.pipe()
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(awake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    packed = sys.stdin.buffer.read()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    workshop = Workshop(packed).__enter__()  # open for as long as this process and those forked from it last
    if "torch" in sys.modules:
        with contextlib.suppress(ImportError):
            import torch._dynamo  # noqa: F401 - torch imports it at the first optimiser, a second in every process
    workshop.warm()
    gc.collect()
    gc.freeze()  # what was loaded stays in pages that all workers share
    workers: set[int] = set()
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    try:
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wake in ready:
                os.read(wake, 1 << 10)
                _reap(control, workers, folder)
            if control.fileno() in ready:
                request, descriptors, _, _ = socket.recv_fds(control, 1, 3)
                if not request:
                    return
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    _become_worker(
                        functools.partial(serve, workshop), folder, descriptors, (control.fileno(), wake, awake)
                    )
                workers.add(pid)
                for fd in descriptors:
                    os.close(fd)
                control.sendall(ANSWER.pack(pid, FORKED))
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        for pid in workers:
            _kill_group(pid)
        kill_descendants()
        shutil.rmtree(folder, ignore_errors=True)


def _become_worker(
    work: Callable[[socket.socket], None], folder: Path, descriptors: list[int], close: tuple[int, ...]
) -> None:
    """Set a forked process up and run it to its end: a process group and a temporary folder of its own."""
    status = 1
    try:
        os.setsid()
        prctl(SUBREAPER, 1)  # what its cells leave behind stays its own, and comes to the server when it ends
        prctl(DEATH_SIGNAL, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in close:
            os.close(fd)
        channel, output, stack = descriptors
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")  # short of memory, the system takes a worker and not the program that stores records
        faulthandler.enable(file=stack)
        faulthandler.register(STACK_SIGNAL, file=stack)
        own = folder / str(os.getpid())
        own.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(own)

        work(socket.socket(fileno=channel))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _reap(control: socket.socket, workers: set[int], folder: Path) -> None:
    """Collect ended children; with a worker goes all that it started, before the pool is told."""
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            break
        if pid in workers:
            workers.remove(pid)
            _kill_group(pid)
            ended.append((pid, status))
    if ended:
        kill_descendants(spare=workers)
        for pid, status in ended:
            shutil.rmtree(folder / str(pid), ignore_errors=True)
            control.sendall(ANSWER.pack(pid, status))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
