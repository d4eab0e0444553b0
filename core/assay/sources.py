"""Which source statements a verdict rests on, and whether they are still the same.

Found when a paper is verified; compared later from the source files alone, importing no plugin and no library.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
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
    found = {name: _now(name) for name in sorted(names | made)}
    return {name: digest for name, digest in found.items() if digest}


def _place(function: Any) -> tuple[str, str]:
    """Return the module and top-level name of a function, class, method or partial."""
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return named.__module__, named.__qualname__.partition(".")[0]


def changed(recorded: Mapping[str, str]) -> list[str]:
    """Return those of the recorded places that are gone or no longer mean the same."""
    return [place for place, digest in recorded.items() if _now(place) != digest]


def _now(place: str) -> str | None:
    name, mark, made = place.partition("#")
    if mark:
        module = _module(name)
        calls = _calls(module, made) if module else []
        return _meaning(calls) if calls else None
    name, _, symbol = place.partition(":")
    module = _module(name)
    return _meaning(module.reached(None if symbol == "*" else symbol)) if module else None


def _calls(module: Module, made: str) -> list[ast.Call]:
    """Return the calls whose first argument is the text `made`: `Model("flat-mlp", ...)`."""
    statements = [*module.reached(None), *module.effects]
    nodes = (node for statement in statements for node in ast.walk(statement))
    calls = (node for node in nodes if isinstance(node, ast.Call) and node.args)
    return [call for call in calls if isinstance(call.args[0], ast.Constant) and call.args[0].value == made]


@functools.lru_cache(maxsize=1024)
def _module(name: str) -> Module | None:
    path = source_of(name)
    try:
        return Module(name, str(path)) if path else None
    except AssayError:
        return None


class _Wordless(ast.NodeTransformer):
    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg in WORDS else self.generic_visit(node)


def _meaning(nodes: Iterable[ast.AST]) -> str:
    """Return the digest of code, free of comments, formatting, docstrings and of the arguments in WORDS."""
    texts = [text_of(_Wordless().visit(node)) for node in nodes]
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
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        inside = Path(folder, *rest)
        for path in (inside.with_suffix(".py"), inside / "__init__.py"):
            if path.is_file():
                return path
    return None
