"""The content address of a cell: what it runs, from which sources, with which parameters and seed.

A cell's sources are the top-level statements that its task, data set, model and metrics reach by name, followed through
imports inside assay's plugins (and the user's own file). Comments, formatting, docstrings and statements that nothing
reaches do not count: editing a claim's text, another paper or another task leaves the cell as it is. Libraries such as
torch are not part of the address; their versions stand in the record.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import json
import sys
import sysconfig
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.spec import Cell, Dataset, Metric, Model, Task

PROTOCOL = 1
"""Raised whenever the core measures differently, so that older records are not taken for new ones."""


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


class Module:
    """The top-level statements of a source file by the names they bind."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.bound: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []
        for statement in _one_name_imports(ast.parse(source).body):
            names = list(_binds(statement))
            for bound in names:
                self.bound.setdefault(bound, []).append(statement)
            if not names and not _is_docstring(statement):
                self.effects.append(statement)

    def reached(self, symbol: str | None) -> list[ast.stmt]:
        """Return the statements that bind a symbol, or all of them; statements run for their effect come along."""
        if symbol is None or symbol not in self.bound:
            return [*(s for statements in self.bound.values() for s in statements), *self.effects]
        return [*self.bound[symbol], *self.effects]


class Digester:
    """Computes digests, keeping parsed sources and the closures found. One is made for a run.

    `packages` are the top-level packages whose sources count, beside those named `assay_...` and the user's own files.
    """

    def __init__(self, packages: Iterable[str] = ()) -> None:
        self._packages = set(packages)
        self._modules: dict[str, Module] = {}
        self._code: dict[Any, str] = {}
        self._files: dict[str, str] = {}

    def protocol(self, task: Task, dataset: Dataset, metrics: Iterable[Metric], scale: str) -> str:
        """Return the digest of what all entrants of a task and data set share: records of one protocol compare."""
        key = (id(task), id(dataset), scale)
        if key not in self._code:
            budget = json.dumps(dict(task.budgets[scale]), sort_keys=True, default=repr)
            functions: list[Callable[..., Any]] = [
                task.run,
                dataset.load,
                *(m.compute for m in metrics if m.id in task.metrics),
            ]
            self._code[key] = _hash(str(PROTOCOL), budget, *map(self.code, functions))
        return self._code[key]

    def cell(self, cell: Cell, model: Model, protocol: str, metrics: Iterable[Metric]) -> str:
        """Return the content address of a cell, 32 hexadecimal digits. `metrics` are those of the model's own plugin."""
        key = (id(model), protocol)
        if key not in self._code:
            functions: list[Callable[..., Any]] = [model.build, *(m.compute for m in metrics)]
            self._code[key] = _hash(protocol, *(self.code(function) for function in functions))
        params = json.dumps({**model.params, **dict(cell.params)}, sort_keys=True, default=repr)
        source = self._file(cell.source) if cell.source else ""
        names = (cell.task, cell.dataset, cell.model, cell.scale, cell.backend, str(cell.seed))
        return _hash(self._code[key], params, source, *names)

    def code(self, function: Callable[..., Any]) -> str:
        """Return the digest of the sources that a function or class reaches."""
        if function not in self._code:
            self._code[function] = self._digest(function)
        return self._code[function]

    def _digest(self, function: Callable[..., Any]) -> str:
        if isinstance(function, functools.partial):
            bound = [self.code(a) if callable(a) else json.dumps(a, default=repr) for a in function.args]
            return _hash(self.code(function.func), *bound, json.dumps(function.keywords, sort_keys=True, default=repr))
        module = self._module(function.__module__) if _source_file(function.__module__) else None
        if module is None:
            try:
                return _hash(ast.dump(ast.parse(inspect.cleandoc(inspect.getsource(function)))))
            except (OSError, TypeError, SyntaxError):
                return uuid.uuid4().hex  # made where no source is kept (a plain console): never taken for another's
        symbol = function.__qualname__.partition(".")[0]
        seen: dict[tuple[str, str | None], str] = {}
        self._follow(module, symbol, seen)
        return _hash(*(seen[key] for key in sorted(seen, key=str)))

    def _follow(self, module: Module, symbol: str | None, seen: dict[tuple[str, str | None], str]) -> None:
        """Add to `seen` the statements that bind a symbol, and all that they reach."""
        if (module.name, symbol) in seen:
            return
        statements = module.reached(symbol)
        seen[module.name, symbol] = "\n".join(_dump(s) for s in statements)
        for statement in statements:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id in module.bound and node.id != symbol:
                    self._follow(module, node.id, seen)
                elif isinstance(node, ast.Import):
                    for alias in node.names:
                        self._follow_import(alias.name, None, seen)
                elif isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        self._follow_import(_absolute(module.name, node), alias.name, seen)

    def _follow_import(self, target: str, name: str | None, seen: dict[tuple[str, str | None], str]) -> None:
        """Follow `import target` (no name) or `from target import name` where the target's source counts."""
        if not self._counts(target):
            return
        if name and _source_file(f"{target}.{name}"):
            target, name = f"{target}.{name}", None
        if _source_file(target):
            self._follow(self._module(target), None if name == "*" else name, seen)

    def _counts(self, module: str) -> bool:
        top = module.partition(".")[0]
        return top.startswith("assay_") or top in self._packages or (top != "assay" and _is_users(top))

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = Module(name, Path(_source_file(name) or "").read_text(encoding="utf-8"))
        return self._modules[name]

    def _file(self, path: str) -> str:
        if path not in self._files:
            with open(path, "rb") as stream:
                self._files[path] = hashlib.blake2b(stream.read(), digest_size=16).hexdigest()
        return self._files[path]


@functools.lru_cache(maxsize=4096)
def _source_file(module: str) -> str | None:
    """Return the path of a module's Python source, None if it has none (a package without code, a builtin)."""
    loaded = sys.modules.get(module)
    path = getattr(loaded, "__file__", None)
    if path is None and loaded is None:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        path = found.origin if found else None
    return path if path and path.endswith(".py") else None


@functools.lru_cache(maxsize=4096)
def _is_users(package: str) -> bool:
    """Whether a package is the user's own: Python source outside the standard library and the installed packages."""
    path = _source_file(package)
    if path is None or {"site-packages", "dist-packages"} & set(Path(path).parts):
        return False  # also where a .pth file has added the folder of another environment
    return not Path(path).is_relative_to(sysconfig.get_path("stdlib"))


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module if (_source_file(module) or "").endswith("__init__.py") else module.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _binds(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _one_name_imports(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements with `from a import b, c` taken apart, so that each name brings along only its own import."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (ast.Import([alias]) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield from (ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names)
        else:
            yield statement


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _dump(node: Any) -> str:
    """Return the meaning of a syntax tree: the same for any formatting and any Python version that can parse it."""
    if isinstance(node, list):
        return "[" + ",".join(_dump(item) for item in node if not _is_docstring(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []) and name != "ctx")
    return type(node).__name__ + "(" + ",".join(f"{name}={_dump(value)}" for name, value in fields) + ")"


def combined(digests: Mapping[str, str]) -> str:
    """Return one digest for several named ones: what a recorded verdict rests on."""
    return _hash(*(f"{name}={digests[name]}" for name in sorted(digests)))
