"""A plugin whose entrants do what entrants should not. Written into a folder as an installed distribution by `install`."""

from __future__ import annotations

from pathlib import Path

SOURCE = '''
"""Entrants that fail in every way."""
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np
from assay import Dataset, Metric, Model, Schema, Task, hookimpl


def load(seed, scale, source):
    return np.random.default_rng(seed).normal(size=100)


def broken(seed, scale, source):
    raise OSError("no such host")


def run(entrant, data, ctx):
    return {"value": entrant.build()(data, ctx)}


def value(outcome):
    return outcome["value"]


def good(data, ctx):
    return float(data.mean())


def sums(data, ctx):
    matrix = np.random.normal(size=(300, 300))
    return float((matrix @ matrix).sum() + np.linalg.svd(matrix)[1].sum() + data.sum())


def raises(data, ctx):
    print("before the error")
    raise ValueError("no good")


def hangs(data, ctx):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (ctx.scratch / "junk").write_text("x" * 100)
    print("about to hang", flush=True)
    where_it_hangs()


def where_it_hangs():
    while True:
        time.sleep(0.01)


def exits(data, ctx):
    os._exit(0)


def quits(data, ctx):
    sys.exit(0)


def segfaults(data, ctx):
    os.write(2, b"about to fault")
    ctypes.string_at(0)


def eats(data, ctx):
    hog = []
    while True:
        hog.append(np.ones(2_000_000))


def floods(data, ctx):
    while True:
        print("flood " * 100)


def leaves(data, ctx):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    if os.fork() == 0:
        time.sleep(1000)
    return 1.0


def returns_twice(data, ctx):
    os.fork()
    return 1.0


def closes(data, ctx):
    sys.stdout.close()
    os.close(1)
    return 2.0


def stops(data, ctx):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1.0


def kills_host(data, ctx):
    server = os.getppid()
    with open(f"/proc/{server}/stat") as stream:
        host = int(stream.read().rpartition(")")[2].split()[1])
    os.kill(host, signal.SIGKILL)
    time.sleep(1000)


def meets(data, ctx):
    """Wait until cells have begun in two processes."""
    folder = Path(os.environ["FAULT_MEETING"])
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 120
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return float(len(os.listdir(folder)))


def sleeps(data, ctx):
    time.sleep(float(os.environ.get("FAULT_SLEEP", "0.05")))
    return 1.0


class Edited:
    def __call__(self, data, ctx):
        return 1.0


class Returns:
    def __init__(self, what):
        self.what = what

    def __call__(self, data, ctx):
        return {"nan": float("nan"), "none": None, "text": "good"}[self.what]


NAMES = ("good", "sums", "raises", "hangs", "exits", "quits", "segfaults", "eats", "floods", "leaves", "returns_twice", "closes",
         "stops", "kills_host", "meets", "sleeps")


def built(name):
    return globals()[name]


@hookimpl
def assay_schemas():
    return [Schema("numbers", {"x": "float32[n]"}, lambda arrays, rng: arrays["x"])]


@hookimpl
def assay_datasets():
    return [Dataset("draws", "numbers", load), Dataset("gone", "numbers", broken)]


@hookimpl
def assay_metrics():
    return [Metric("value", value, ("value",), "up", "")]


@hookimpl
def assay_tasks():
    budgets = {scale: {} for scale in ("smoke", "small", "full")}
    return [Task("faults/all", schema="numbers", run=run, metrics=("value",), dataset="draws", contract="", budgets=budgets)]


@hookimpl
def assay_models():
    return [
        *(Model(name, "faults/all", built, params={"name": name}) for name in NAMES),
        Model("edited", "faults/all", Edited),
        *(Model(f"returns-{what}", "faults/all", Returns, params={"what": what}) for what in ("nan", "none", "text")),
    ]
'''

METADATA = """Metadata-Version: 2.1
Name: assay-faults
Version: 1
Summary: Entrants that fail in every way
Keywords: family:faults,task:faults/all
"""


def install(folder: Path) -> Path:
    """Write the plugin into a folder that is to go on the path; return its module."""
    info = folder / "assay_faults-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[assay]\nfaults = assay_faults\n")
    module = folder / "assay_faults.py"
    module.write_text(SOURCE)
    return module
