"""Which source statements a verdict rests on, and whether they are still the same.

Found when a paper is verified; compared later from the source files alone, importing no plugin and no library.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.digest import Digester, Module, meaning

if TYPE_CHECKING:
    from assay.cell import Job

HOOKS = ("assay_papers", "assay_models", "assay_metrics")
"""What a paper registers counts whole: its claims' bounds and its entrants' parameters stand there."""


def closure(jobs: Iterable[Job], plugin: str, digester: Digester) -> dict[str, str]:
    """Return by `module:symbol` the digest of every statement that jobs reach, and that the plugin's module registers.

    Args:
        jobs: What was run.
        plugin: Name of the paper's module, imported already.
        digester: Knows which packages count.
    """
    roots: dict[int, Callable[..., Any]] = {}
    found: dict[str, str] = {}
    for job in jobs:
        used: tuple[Callable[..., Any], ...] = (job.task.run, job.dataset.load, job.model.build)
        roots |= {id(root): root for root in (*used, *(m.compute for m in job.metrics))}
        home = sys.modules.get(job.task.run.__module__)
        for symbol in (name for name, value in vars(home).items() if value is job.task):
            found |= digester.statements(job.task.run.__module__, symbol)  # its budgets and contract
    for root in roots.values():
        found |= digester.sources(root)
    for hook in HOOKS:
        if hasattr(sys.modules[plugin], hook):
            found |= digester.statements(plugin, hook)
    return dict(sorted(found.items()))


def changed(recorded: Mapping[str, str]) -> list[str]:
    """Return those of the recorded statements (`module:symbol`) that are gone or no longer mean the same."""
    return [place for place, digest in recorded.items() if _now(place) != digest]


def _now(place: str) -> str | None:
    name, _, symbol = place.partition(":")
    module = _module(name)
    return meaning(module.reached(None if symbol == "*" else symbol)) if module else None


@functools.lru_cache(maxsize=1024)
def _module(name: str) -> Module | None:
    path = source_of(name)
    try:
        return Module(name, path.read_text(encoding="utf-8")) if path else None
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def source_of(module: str) -> Path | None:
    """Return the file of a module without importing it or the packages that it lies in, None if there is none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        inside = Path(folder, *rest)
        for path in (inside.with_suffix(".py"), inside / "__init__.py"):
            if path.is_file():
                return path
    return None
