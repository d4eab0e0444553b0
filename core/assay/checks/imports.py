"""How long a plugin takes to import beyond torch and its family's suite, measured in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from assay.checks.kit import Check, NotApplicable
from assay.checks.requirements import imported
from assay.checks.subject import Subject

SECONDS = 0.1

_MEASURE = """
import importlib, json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
for name in json.loads(sys.argv[2]):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
start = time.process_time()
importlib.import_module(sys.argv[3])
print(time.process_time() - start)
"""


def import_time(subject: Subject) -> Iterator[str]:
    """The plugin's own import takes at most 0.1 s."""
    if not subject.plugin.module or subject.problem:
        raise NotApplicable("cannot be imported")
    paths = [str(subject.root), *(p for p in sys.path if p)]
    suites = [p.module for p in subject.catalog.plugins if not p.paper and p.family == subject.plugin.family]
    before = ["assay.hooks", "assay.claims", "assay.context", "numpy"]
    before += ["torch"] if "torch" in imported(subject) else []
    before += suites if subject.plugin.paper else []
    arguments = [json.dumps(paths), json.dumps(before), subject.plugin.module]
    command = [sys.executable, "-c", _MEASURE, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    if done.returncode:
        yield f"cannot be imported in a fresh process: {done.stderr.strip().splitlines()[-1]}"
    elif (seconds := float(done.stdout.split()[-1])) > SECONDS:
        yield f"takes {seconds:.2f} s to import beyond {'torch' if 'torch' in before else 'numpy'} and its suite"


CHECKS = (
    Check(
        "import-time",
        "smoke",
        "every command that loads the arena waits for it",
        "import costly libraries in the function that needs them",
        import_time,
    ),
)
