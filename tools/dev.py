#!/usr/bin/env python3
"""Set up a development checkout and run its two commands; needs nothing but Python 3.10 or newer.

python3 tools/dev.py demo    a small comparison on real data, Deep Sets' verdicts, a leaderboard, the report page
python3 tools/dev.py test    lint, types and tests
python3 tools/dev.py sync    only set up: .venv with assay and every plugin of this checkout, editable
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
TORCH = "2.13.0"
DEMO = "deep-sets,pointnet,set-transformer,kme-ridge,mean-pool-mlp,flat-mlp"


def main() -> int:
    """Run the command that is asked for and return its exit status."""
    if sys.version_info < (3, 10):
        print("assay needs Python 3.10 or newer; this is {}.{}".format(*sys.version_info[:2]), file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["demo", "test", "sync"])
    parser.add_argument("rest", nargs="*", help="for test: passed on to pytest")
    args, extra = parser.parse_known_args()
    try:
        set_up(test=args.command == "test")
    except subprocess.CalledProcessError as error:
        print(f"[dev] could not set up: {' '.join(map(str, error.cmd))[:300]}", file=sys.stderr)
        return 1
    if args.command == "demo":
        return demo()
    return test([*args.rest, *extra]) if args.command == "test" else 0


def set_up(test: bool) -> None:
    """Make .venv and install what has changed since the last time."""
    start = time.monotonic()
    if not PYTHON.exists():
        say("making .venv")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    files = ["requirements.txt", *(["requirements-test.txt"] if test else [])]
    for name in files:
        path = ROOT / "tools" / name
        if changed(name, path.read_bytes() + TORCH.encode()):
            say(f"installing tools/{name} (once; minutes where nothing is cached)")
            if name == "requirements.txt":
                install_torch()
            pip("-r", str(path))
            keep(name, path.read_bytes() + TORCH.encode())
    install_checkout()
    if time.monotonic() - start > 3:
        say(f"set up in {time.monotonic() - start:.0f} s")


def install_torch() -> None:
    """Install the torch that this project is developed with, or any that the platform has."""
    if pip(f"torch=={TORCH}", check=False) == 0:
        return
    say(f"no torch {TORCH} for this platform: installing the newest that it has; figures may differ slightly")
    pip("torch>=2.2")


def install_checkout() -> None:
    """Install every distribution of the checkout, editable, in one call; nothing is fetched."""
    folders = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))]
    metadata = b"".join((folder / "pyproject.toml").read_bytes() + str(folder).encode() for folder in folders)
    if not changed("checkout", metadata):
        return
    wheels = VENV / "wheels"
    say(f"installing assay and {len(folders) - 1} plugins of this checkout")
    script = str(ROOT / "tools" / "wheels.py")
    subprocess.run([str(PYTHON), script, "build", str(ROOT), str(wheels), "--editable"], check=True)
    subprocess.run([str(PYTHON), script, "install", str(wheels)], check=True)
    keep("checkout", metadata)


def pip(*arguments: str, check: bool = True) -> int:
    """Run pip in .venv, quietly, and return its exit status."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=check).returncode


def changed(name: str, content: bytes) -> bool:
    """Whether content differs from what was installed last under this name."""
    stamp = VENV / f"{name}.stamp"
    return not stamp.exists() or stamp.read_text() != hashlib.sha256(content).hexdigest()


def keep(name: str, content: bytes) -> None:
    """Remember what is installed under a name."""
    (VENV / f"{name}.stamp").write_text(hashlib.sha256(content).hexdigest())


def say(text: str) -> None:
    """Print a line about what is going on."""
    print(f"[dev] {text}", file=sys.stderr, flush=True)


SHOW = """
import gc, json, sys
from assay.cli import main
gc.set_threshold(100_000)
status = 0
for step in json.loads(sys.argv[1]):
    print("\\n$ assay " + " ".join(step), flush=True)
    status = max(status, main(step))
sys.exit(status)
"""
"""Runs commands of assay in one process, so that torch is imported once, and seldom collects garbage meanwhile."""


def demo() -> int:
    """Compare published methods on real data, put one paper to the test, and say where everything lies."""
    steps = [
        ("run", "sets/point-clouds", "--entrants", DEMO, "--scale", "smoke", "--seeds", "3"),
        ("compare", "sets/point-clouds", "--scale", "smoke"),
        ("verify", "deep-sets", "--scale", "smoke"),
        ("report", "--out", ".assay/report.html", "--title", "assay demo"),
    ]
    status = subprocess.run([str(PYTHON), "-c", SHOW, json.dumps(steps)], cwd=ROOT).returncode
    print(f"\nrecords: {ROOT / '.assay' / 'records.db'}\nnext:    . .venv/bin/activate; assay --help", flush=True)
    return status


def test(arguments: "list[str]") -> int:
    """Run linter, formatter, type checker and tests; return the first status that is not 0.

    Without arguments for pytest, the tests marked `slow` are left out: `dev.py test -m slow` runs them.
    """
    chosen = arguments or ["-m", "not slow"]
    checks = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["pytest", *chosen]]
    for check in checks:
        print(f"\n$ {' '.join(check)}", flush=True)
        status = subprocess.run([str(PYTHON), "-m", *check], cwd=ROOT).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
