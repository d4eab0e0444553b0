"""Which source statements a verdict rests on, and whether they are still the same.

Found when a paper is verified; compared later from the source files alone, importing no plugin and no library.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.reach import Module, Reach, text_of

if TYPE_CHECKING:
    from assay.cell import Job

HOOKS = ("assay_papers", "assay_models", "assay_metrics")
"""What a paper registers counts whole: its claims' bounds and its entrants' parameters stand there."""


WORDS = frozenset({"says", "published", "notes", "title"})
"""Arguments that tell a reader something and change no verdict."""


def closure(jobs: Iterable[Job], plugin: str, reach: Reach) -> dict[str, str]:
    """Return the digests of all source that jobs rest on.

    By `module:symbol` every statement that is reached or that the plugin's module registers, by `module#id` the call that
    makes a model or metric of that id, where it stands in the module of its function.

    Args:
        jobs: What was run.
        plugin: Name of the paper's module, imported already.
        reach: Knows which packages count.
    """
    roots = {(plugin, hook) for hook in HOOKS if hasattr(sys.modules[plugin], hook)}
    made = set()
    for job in jobs:
        home = job.task.run.__module__
        roots |= {(home, name) for name, value in vars(sys.modules[home]).items() if value is job.task}  # its budgets
        roots |= {
            _place(f) for f in (job.task.run, job.dataset.load, job.model.build, *(m.compute for m in job.metrics))
        }
        for name, function in ((job.model.id, job.model.build), *((m.id, m.compute) for m in job.metrics)):
            made.add(f"{_place(function)[0]}#{name}")  # a baseline's parameters, a metric's bounds
    places = {place for module, symbol in roots if reach.counts(module) for place in reach.reached(module, symbol)}
    names = {f"{module}:{'*' if symbol is None else symbol}" for module, symbol in places}
    return {name: digest for name, digest in _now(sorted(names | made)).items() if digest}


def _place(function: Any) -> tuple[str, str]:
    """Return the module and top-level name of a function, class, method or partial."""
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return named.__module__, named.__qualname__.partition(".")[0]


def changed(recorded: Mapping[str, str]) -> list[str]:
    """Return those of the recorded places that are gone or no longer mean the same."""
    now = _now(recorded)
    return [place for place, digest in recorded.items() if now[place] != digest]


def _now(places: Iterable[str]) -> dict[str, str | None]:
    """Return the digests of places as their files are now, None for one that is not there."""
    split = {place: re.split("([:#])", place, maxsplit=1) for place in places}
    sources = {name: _source(name) for name in {name for name, _, _ in split.values()}}
    found: dict[str, str | None] = {}
    for place, (name, mark, symbol) in split.items():
        source = sources[name]
        found[place] = None if source is None else source.call(symbol) if mark == "#" else source.symbol(symbol)
    return found


class _Source:
    """The digests of a source file's places; each is computed once, as papers of a family share their suite's."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._symbols: dict[str, str] = {}
        self._calls: dict[str, str] = {}

    def symbol(self, name: str) -> str:
        """Return the digest of the statements that bind a name, of all for `*`."""
        if name not in self._symbols:
            self._symbols[name] = _meaning(self._module.reached(None if name == "*" else name))
        return self._symbols[name]

    def call(self, made: str) -> str | None:
        """Return the digest of the calls whose first argument is the text `made`: `Model("flat-mlp", ...)`."""
        if made not in self._calls and repr(made) in self._made:
            self._calls[made] = _meaning(self._made[repr(made)])
        return self._calls.get(made)

    @functools.cached_property
    def _made(self) -> Mapping[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for statement in (*self._module.reached(None), *self._module.effects):
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    found.setdefault(repr(node.args[0].value), []).append(node)
        return found


def _source(name: str) -> _Source | None:
    """Return the source file of a module, parsed anew when it was edited."""
    path = source_of(name)
    return _parsed(name, str(path), path.stat().st_mtime_ns) if path else None


@functools.lru_cache(maxsize=1024)
def _parsed(name: str, path: str, _: int) -> _Source | None:
    try:
        return _Source(Module(name, path))
    except AssayError:
        return None


def _meaning(nodes: Iterable[ast.AST]) -> str:
    """Return the digest of code, free of comments, formatting, docstrings and of the arguments in WORDS."""
    texts = [text_of(node, WORDS) for node in nodes]
    return hashlib.blake2b("\n".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


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
        path = Path(spec.origin or "")
        return path if path.suffix == ".py" and path.is_file() else None
    for folder in spec.submodule_search_locations or ():
        inside = Path(folder, *rest)
        for path in (inside.with_suffix(".py"), inside / "__init__.py"):
            if path.is_file():
                return path
    return None
