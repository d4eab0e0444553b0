"""What a run survives, and how it grows: kills, resuming, a second worker, the memory of the head.

    python benchmarks/peers/executors_endurance.py [kills] [resume] [speedup] [memory]

kills: `kill -9` of the program at 50 random moments of a run of 1,000 cells, inline and in the pool; then one run to the
end. resume: a second run over 10,000 finished cells. speedup: cells of 1 s with one worker and with two. memory: the
peak of the head for 1,000, 10,000 and 100,000 cells.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assay.store import Store
from executors_overhead import assay_run, install, timed

KILLS, CELLS = 50, 1000


def command(store: Path, seeds: int, *how: str) -> list[str]:
    """Return the command that runs cells of nothing."""
    return [sys.executable, "-m", "assay.cli", "run", "idle/task", "--seeds", f"0:{seeds}", "--store", str(store), *how]


def kills(folder: Path) -> None:
    """Kill runs at random moments, then run to the end: what is lost, doubled or half is counted."""
    for name, how in {"inline": [], "pool": ["--workers", "2"]}.items():
        store, draw, lost, seen = folder / f"kills-{name}.db", random.Random(0), 0, {}
        arguments = [*command(store, CELLS, *how), "--set", "seconds=0.01"]
        for kill in range(KILLS):
            run = subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment(folder),
                text=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            if kill % 2:  # every other one while cells run, the rest at any moment from the start on
                run.stderr.readline()
            time.sleep(draw.uniform(0.0, 0.4 if kill % 2 else 3.0))
            run.kill()
            run.stderr.close()
            run.wait()
            now = stored(store)
            lost += sum(now.get(digest) != record for digest, record in seen.items())
            seen = now
        before = len(seen)
        timed(arguments, folder, PYTHONPATH=str(folder))
        end = stored(store)
        lost += sum(end.get(digest) != record for digest, record in seen.items())
        half = sum(not (r.ok and r.metrics and r.environment and r.finished) for r in end.values())
        seeds = [r.cell.seed for r in end.values()]
        print(f"{KILLS} kills, {name}: {before} cells stored by killed runs, {lost} lost or run again, ", end="")
        print(f"{len(seeds) - len(set(seeds))} duplicated, {half} half rows, {len(end)} of {CELLS} at the end")


def stored(store: Path) -> dict[str, object]:
    """Return all records of a store."""
    if not store.exists():
        return {}
    with Store(store) as opened:
        return {record.digest: record for record in opened.records()}


def environment(folder: Path) -> dict[str, str]:
    """Return the environment with the plugin on the path."""
    return {**os.environ, "PYTHONPATH": str(folder)}


def resume(folder: Path) -> None:
    """Time runs over finished cells; the shorter one is taken off, so that start-up does not count."""
    assay_run(folder, 10_000, [])
    few = timed(command(folder / "store.db", 100), folder, PYTHONPATH=str(folder))
    many = timed(command(folder / "store.db", 10_000), folder, PYTHONPATH=str(folder))
    print(f"resume of 10,000: {many.wall:.2f} s in all; ", end="")
    print(f"a cell {(many.wall - few.wall) / 9.9:.4f} ms wall, {(many.cpu - few.cpu) / 9.9:.4f} ms cpu")


def speedup(folder: Path) -> None:
    """Time cells of a second with one worker and with two; short runs are taken off, so that start-up does not count."""
    short, long = 2, 22
    times = {
        workers: [
            assay_run(folder, cells, ["--workers", workers, "--set", "seconds=1"]).wall for cells in (short, long)
        ]
        for workers in "12"
    }
    one, two = (longer - shorter for shorter, longer in times.values())
    print(f"{long - short} cells of 1 s: {one:.2f} s with one worker, {two:.2f} s with two: {one / two:.2f}x; ", end="")
    print(f"start-up included: {times['1'][1]:.2f} s, {times['2'][1]:.2f} s: {times['1'][1] / times['2'][1]:.2f}x")


def memory(folder: Path) -> None:
    """Read the peak of the head's memory for growing runs."""
    code = (
        "import sys, assay\nassay.run('idle/task', seeds=int(sys.argv[1]), store=sys.argv[2], executor=sys.argv[3])\n"
        "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    for how in ("inline", "pool"):
        peaks = []
        for cells in (1_000, 10_000, 100_000):
            run = [sys.executable, "-c", code, str(cells), str(folder / f"memory-{how}-{cells}.db"), how]
            done = subprocess.run(run, env=environment(folder), capture_output=True, text=True, check=True)
            peaks.append(f"{int(done.stdout) / 1024:.0f} MiB for {cells:,}")
        print(f"head's peak memory, {how}: {', '.join(peaks)}")


PARTS = {"kills": kills, "resume": resume, "speedup": speedup, "memory": memory}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="|".join(PARTS), help="all of them unless named")
    wanted = parser.parse_args().what or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as name:
        install(Path(name))
        for what in wanted:
            PARTS[what](Path(name))
