"""Plant regressions and harmless changes in a copy of the repository, and see whether tracking finds just the former.

    python benchmarks/planting.py [--rounds N] [--keep DIR]

Eight commits on top of the present one: a forward pass done twice (pi3), 240 MB that nobody needs (polynomial-width), a sign
in a metric's way (mbat-json), work of random length (pi3), one more random number drawn, which changes every result by
the luck of a seed (pi3), comments. The first three must be found at their commits for their papers, and nothing else;
exits with 1 otherwise. Takes about 4 minutes on an idle machine of two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent


class Plant(NamedTuple):
    """A commit to make: `old` becomes `new` in a file. `track` of `paper` is worse after it, empty for none."""

    kind: str
    path: str
    old: str
    new: str
    paper: str = ""
    track: str = ""


PI3 = "plugins/sets/pi3/assay_pi3.py"
WIDTH = "plugins/sets/polynomial-width/assay_polynomial_width.py"
MBAT = "plugins/numerics/mbat-json/assay_mbat_json.py"
DOCUMENTS = "plugins/numerics/suite/assay_numerics/json_vectors.py"
MADE = "        super().__init__(views, points, reference=False)\n"
FORWARD = """
    def forward(self, image: Tensor) -> Tensor:
        super().forward(image)
        return super().forward(image)
"""
PLANTS = [
    Plant("comment", PI3, "class Pi3(", "# one\nclass Pi3("),
    Plant("slow", PI3, MADE, MADE + FORWARD, "pi3", "time_predict"),
    Plant("comment", MBAT, "class SoftAtoms:", "# two\nclass SoftAtoms:"),
    Plant(
        "memory",
        WIDTH,
        '    def embed(self, x: Array) -> Array:\n        """Return sum_n phi(x_n)."""\n',
        "    def __init__(self) -> None:\n        self.table = np.ones(30_000_000)\n\n"
        '    def embed(self, x: Array) -> Array:\n        """Return sum_n phi(x_n)."""\n',
        "polynomial-width",
        "peakmem_fit",
    ),
    Plant(
        "noise",
        PI3,
        "        super().forward(image)\n",
        "        sum(range(int(20_000 * __import__('random').random())))\n        super().forward(image)\n",
    ),
    Plant(
        "sign",
        DOCUMENTS,
        "nearest = _cosines(asked, known).argmax(1)",
        "nearest = (-_cosines(asked, known)).argmax(1)",
        "mbat-json",
        "error",
    ),
    Plant("luck", PI3, MADE, "        torch.rand(1)\n" + MADE),
    Plant("comment", WIDTH, "class LinearPower:", "# three\nclass LinearPower:"),
]


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it printed."""
    name = ["-c", "user.name=assay", "-c", "user.email=assay@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def plant(folder: Path, plants: Sequence[Plant]) -> dict[str, Plant]:
    """Make the commits and return what each plants, by commit."""
    planted = {}
    for one in plants:
        file = folder / one.path
        text = file.read_text(encoding="utf-8")
        if text.count(one.old) != 1:
            raise SystemExit(f"{one.path} has changed: adapt the plant {one.kind!r}")
        file.write_text(text.replace(one.old, one.new), encoding="utf-8")
        git(folder, "commit", "-qam", one.kind)
        planted[git(folder, "rev-parse", "HEAD").strip()] = one
    return planted


def score(found: Sequence[dict[str, object]], planted: dict[str, Plant]) -> tuple[list[str], int]:
    """Return lines that tell what was found beside what was planted, and the number of mistakes."""
    lines, wrong, hits = [], 0, set()
    for row in found:
        one = planted.get(str(row["commit"]))
        right = one is not None and bool(one.paper) and row["paper"] == one.paper
        if one is not None and right and row["track"] == one.track:
            hits.add(one)
        wrong += not right
        what = {key: row[key] for key in ("paper", "entrant", "dataset", "track", "before", "after", "doubt")}
        lines.append(f"{'right' if right else 'WRONG'}  {one.kind if one else 'no plant'}: {json.dumps(what)}")
    for one in planted.values():
        if one.paper:
            wrong += one not in hits
            lines.append(f"{'found' if one in hits else 'MISSED'}  {one.kind}: {one.track} of {one.paper}")
    return lines, wrong


def assay(folder: Path, *arguments: str) -> str:
    """Run a command of assay in the copy and return what it prints."""
    command = [sys.executable, "-m", "assay.cli", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Plant, track, and print what was found beside what was planted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", default="3")
    parser.add_argument("--keep", type=Path, help="make the copy here and leave it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch, "copy")
        git(REPOSITORY, "clone", "-q", str(REPOSITORY), str(folder))
        planted = plant(folder, PLANTS)
        papers = ",".join(sorted({one.paper for one in PLANTS if one.paper}))
        begin = time.monotonic()
        print(assay(folder, "track", "run", f"HEAD~{len(PLANTS)}..HEAD", "--papers", papers, "--rounds", args.rounds))
        print(f"{len(PLANTS)} commits, {args.rounds} rounds: {time.monotonic() - begin:.0f} s\n")
        print(assay(folder, "track", "regressions"))
        found = [row for row in json.loads(assay(folder, "track", "regressions", "--json")) if row["alarm"]]
    lines, wrong = score(found, planted)
    print("\n".join(lines))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
