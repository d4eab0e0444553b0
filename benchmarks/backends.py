"""Measure the measuring: assay's clock beside torch.utils.benchmark's, its memory figure beside memray's.

python benchmarks/backends.py clock     a timed forward against a bare loop, in turn in one process: a minute
python benchmarks/backends.py memory    peak memory of the same work under assay and under memray (pip install memray)

Every figure is printed as a ratio to the peer's in the same run. Run it on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from assay.cell import Job, measure
from assay.context import Context, PinnedThreads
from assay.machine import warm_up
from assay.spec import CPU, Cell, Dataset, Model, Task
from assay.timing import timed
from torch import Tensor, nn
from torch.utils.benchmark import Timer

ROUNDS = 7
CELL = Cell("bench/task", "bench/none", "entrant", (), 0, "smoke")


def mlp(width: int, layers: int) -> nn.Module:
    """Return `layers` linear layers of a width, with ReLUs."""
    return nn.Sequential(*(m for _ in range(layers) for m in (nn.Linear(width, width), nn.ReLU())))


CALLS: dict[str, tuple[nn.Module, Tensor]] = {
    "mlp 256 x 4, batch 256": (mlp(256, 4), torch.randn(256, 256)),
    "mlp 1024 x 2, batch 128": (mlp(1024, 2), torch.randn(128, 1024)),
    "attention 8 x 128 x 128": (nn.TransformerEncoderLayer(128, 4, batch_first=True).eval(), torch.randn(8, 128, 128)),
    "convolution 32 x 32 x 64": (nn.Conv2d(32, 32, 3), torch.randn(4, 32, 64, 64)),
}
"""Modules and inputs whose forward takes a millisecond or more with one thread."""


def assay_seconds(module: nn.Module, x: Tensor) -> float:
    """Return `forward_seconds` as a cell gets it: the call noted while predicting, and timed at the end."""
    ctx = Context(CELL, {}, CPU)
    prepared = ctx.prepare(module)
    with ctx.timer("predict"), torch.no_grad():
        prepared(x)
    ctx.time_forward()
    return ctx.costs["forward_seconds"]


def bare_seconds(module: nn.Module, x: Tensor) -> float:
    """Return the median of torch.utils.benchmark for the same call."""
    with torch.no_grad():
        return float(Timer("module(x)", globals={"module": module, "x": x}).blocked_autorange(min_run_time=0.2).median)


def clock(rounds: int) -> None:
    """Print assay's forward seconds beside torch's, the median of several rounds in turn."""
    print(f"torch {torch.__version__}, one thread, {rounds} rounds; harness: median over rounds of assay / bare - 1")
    print(f"{'call':26}{'bare ms':>9}{'assay ms':>10}{'harness':>9}   range over rounds")
    with PinnedThreads():
        empty = min(statistics.median(timed(lambda: None, CPU.synchronise)) for _ in range(200))
        print(f"an empty call takes {1e6 * empty:.2f} us by assay's clock: all that it adds to any call")
        for name, (module, x) in CALLS.items():
            assay_seconds(module, x)
            pairs = [(bare_seconds(module, x), assay_seconds(module, x)) for _ in range(rounds)]
            shares = sorted(ours / bare - 1 for bare, ours in pairs)
            bare, ours = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
            ends = f"{100 * shares[0]:+.1f} % to {100 * shares[-1]:+.1f} %"
            print(f"{name:26}{bare:9.3f}{ours:10.3f}{100 * statistics.median(shares):+8.1f} %   {ends}")


def train() -> None:
    """Train a wide network for three steps on a large batch."""
    net, x = mlp(1024, 6), torch.randn(8192, 1024)
    optimiser = torch.optim.Adam(net.parameters())
    for _ in range(3):
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()


def attend() -> None:
    """Attend over sets, keeping the weights for the gradient."""
    q = torch.randn(8, 4, 1024, 32, requires_grad=True)
    ((q @ q.transpose(-1, -2)).softmax(-1) @ q).sum().backward()


def pairwise() -> None:
    """Make a matrix of distances in NumPy."""
    points = torch.randn(6000, 3).numpy()
    ((points[:, None, 0] - points[None, :, 0]) ** 2).sum()


WORK: dict[str, Callable[[], None]] = {"train": train, "attend": attend, "pairwise": pairwise}


def one(name: str, how: str) -> tuple[float, float]:
    """Return the peak bytes of a piece of work in this process: (resident, heap), the second 0 where assay tells it."""
    work = WORK[name]
    warm_up()
    torch.randn(64, 64, requires_grad=True).matmul(torch.randn(64, 64)).sum().backward()  # libraries load at first use

    def run(entrant: object, data: object, ctx: Context) -> dict[str, object]:
        work()
        return {}

    if how == "assay":
        task = Task("bench/task", "none", run, (), "none", "", {"smoke": {}})
        job = Job(
            CELL, "", "", task, Dataset("none", "none", lambda *_: None), Model("entrant", task.id, dict), (), CPU
        )
        with PinnedThreads():
            return measure(job, None, Context(CELL, {}, CPU)).costs["peak_memory"], 0.0
    import memray

    with tempfile.TemporaryDirectory() as folder, PinnedThreads():
        with memray.Tracker(Path(folder) / "log", memory_interval_ms=1):
            time.sleep(0.01)  # the first sample is what was there before
            work()
        with memray.FileReader(Path(folder) / "log") as reader:
            resident = [record.rss for record in reader.get_memory_snapshots()]
            return float(max(resident) - resident[0]), float(reader.metadata.peak_memory)


def memory() -> None:
    """Print assay's peak memory beside memray's, each the median of three processes."""
    print(
        f"{'work':10}{'assay MB':>10}{'memray resident':>17}{'memray heap':>13}{'assay / resident':>18}{'assay / heap':>14}"
    )
    for name in WORK:
        peaks = {}
        for how in ("memray", "assay"):
            command = [sys.executable, __file__, "one", name, how]
            outputs = [subprocess.run(command, check=True, capture_output=True).stdout.split() for _ in range(3)]
            peaks[how] = [statistics.median(float(output[i]) for output in outputs) / 1e6 for i in (0, 1)]
        ours, (resident, heap) = peaks["assay"][0], peaks["memray"]
        print(f"{name:10}{ours:10.1f}{resident:17.1f}{heap:13.1f}{ours / resident:18.3f}{ours / heap:14.3f}")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["clock", "memory", "one"])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of the clock, in turn (default {ROUNDS})")
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what == "one":
        with contextlib.redirect_stdout(sys.stderr):
            found = one(*args.rest)
        print(*found)
    else:
        clock(args.rounds) if args.what == "clock" else memory()


if __name__ == "__main__":
    main()
