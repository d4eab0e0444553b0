"""Plant three regressions and one harmless change in a copy of the repository, and see whether tracking finds them.

    python benchmarks/planting.py [--env DIR] [--rounds N]

Nine commits: a forward pass that does its work twice (PointNet), 200 MB that nobody needs (Set Transformer), a sign
that spoils predictions (Deep Sets), a pause of random length (PointNet again, noise only), comments between them. The
first three must be found at their commits for their papers and nothing else; exits with 1 otherwise. `--env` names a
folder of asv environments to use again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SETS = "plugins/sets"
POINTNET = f"{SETS}/pointnet/assay_pointnet.py"
TRANSFORMER = f"{SETS}/set-transformer/assay_set_transformer.py"
DEEP_SETS = f"{SETS}/deep-sets/assay_deep_sets.py"
FORWARD = "        return self.whole(self.pooled(self.features(x)))"
BUILT = "        self.embed = nn.Linear(inputs, width)\n"

PLANTED = [
    ("a comment", POINTNET, None, ""),
    (
        "slow",
        POINTNET,
        FORWARD,
        "        self.pooled(self.features(x)).sum().backward(retain_graph=True) if self.training else 0\n" + FORWARD,
    ),
    ("a comment", DEEP_SETS, None, ""),
    ("memory", TRANSFORMER, BUILT, BUILT + "        self.waste = torch.ones(50_000_000)\n"),
    ("a comment", TRANSFORMER, None, ""),
    (
        "sign",
        DEEP_SETS,
        "        return self.out(points.amax(1))",
        "        return self.out(points.amax(1)) * (1 if self.training else -1)",
    ),
    ("noise", POINTNET, FORWARD, "        __import__('time').sleep(2e-4 * __import__('random').random())\n" + FORWARD),
    ("a comment", POINTNET, None, ""),
]
EXPECTED = {
    "slow": ("pointnet", "track_fit"),
    "memory": ("set-transformer", "track_peak_memory"),
    "sign": ("deep-sets", "track_error"),
}


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it printed."""
    name = ["-c", "user.name=assay", "-c", "user.email=assay@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def plant(folder: Path) -> dict[str, str]:
    """Make the commits and return what each plants, by commit."""
    planted = {}
    for number, (kind, path, old, new) in enumerate(PLANTED):
        file = folder / path
        text = file.read_text()
        if old is None:
            text += f"\n# comment {number}\n"
        else:
            assert text.count(old) == 1, f"{path} has changed: adapt PLANTED ({kind})"
            text = text.replace(old, new)
        file.write_text(text)
        git(folder, "commit", "-qam", kind)
        planted[git(folder, "rev-parse", "HEAD").strip()] = kind
    return planted


def main() -> int:
    """Plant, track, and print what was found beside what was planted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "copy")
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
        if args.env:
            (folder / ".asv").mkdir()
            (folder / ".asv" / "env").symlink_to(args.env.resolve())
        planted = plant(folder)
        os.chdir(folder)
        from assay import track

        track.run(
            f"HEAD~{len(PLANTED) + 1}..HEAD", papers=["deep-sets", "pointnet", "set-transformer"], rounds=args.rounds
        )
        found = track.regressions()
    wrong = 0
    for change in found:
        kind = planted.get(change.commit, "base")
        paper, name = EXPECTED.get(kind, ("", ""))
        right = bool(paper) and change.entrant.startswith(paper)
        wrong += not right
        print(f"{'right' if right else 'WRONG'}  planted {kind}: {change}")
    for kind, (paper, name) in EXPECTED.items():
        hit = any(planted.get(c.commit) == kind and c.entrant.startswith(paper) and name in c.track for c in found)
        wrong += not hit
        print(f"{'found' if hit else 'MISSED'}  {kind} in {paper} ({name})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
