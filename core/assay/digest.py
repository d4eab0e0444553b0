"""The content address of a cell: what it runs, from which sources, with which parameters and seed.

A function or class counts by the statements that it reaches (see `assay.reach`) and by what it is bound to: the
variables of a closure, the arguments of a partial, the object of a method. Data count by their content. Libraries such
as torch are not part of the address; their versions stand in the record.
"""

from __future__ import annotations

import functools
import hashlib
import types
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.reach import Reach
from assay.spec import CPU, Backend, Cell, Dataset, Metric, Model, Task

PROTOCOL = 1
"""Raised whenever the core measures differently, so that older records are not taken for new ones."""

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...))
_OF_NO_MEANING = frozenset(
    ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__")
)


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Digester:
    """Computes digests, keeping parsed sources and what was computed. One is made for a run.

    `packages` are the top-level packages of the plugins, whose sources count.
    """

    def __init__(self, packages: Iterable[str] = ()) -> None:
        self._reach = Reach(packages)
        self._known: dict[int, tuple[Any, str]] = {}
        self._files: dict[str, str] = {}

    def protocol(self, task: Task, dataset: Dataset, metrics: Iterable[Metric], scale: str) -> str:
        """Return the digest of what all entrants of a task and data set share: records of one protocol compare."""
        budget = self.value(dict(task.budgets[scale]))
        return _hash(str(PROTOCOL), budget, self.code(task.run), self.code(dataset.load), *map(self._metric, metrics))

    def entry(self, cell: Cell, model: Model, protocol: str, metrics: Iterable[Metric], backend: Backend) -> str:
        """Return the digest of all that a cell shares with its other seeds. `metrics` are of the model's own plugin."""
        params = self.value({**model.params, **dict(cell.params)})
        source = self._file(cell.source) if cell.source else ""
        where = [backend.device, self.code(backend.prepare), self.code(backend.autocast)]
        where += [self.code(backend.session)] if backend.session is not CPU.session else []
        names = (cell.task, cell.dataset, cell.model, cell.scale, cell.backend)
        return _hash(protocol, self.code(model.build), params, source, *where, *names, *map(self._metric, metrics))

    def code(self, function: Any) -> str:
        """Return the digest of a function, class or other callable."""
        if id(function) not in self._known:
            self._known[id(function)] = function, self.value(function)
        return self._known[id(function)][1]

    def _metric(self, metric: Metric) -> str:
        return _hash(metric.id, self.code(metric.compute), repr(metric.needs), repr(metric.bounds))

    def _file(self, path: str) -> str:
        """Return the digest of a file's content, or of all files in a folder with their names."""
        if path not in self._files:
            root = Path(path)
            files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
            whole = hashlib.blake2b(digest_size=16)
            for file in files:
                whole.update(b"" if file == root else file.relative_to(root).as_posix().encode() + b"\0")
                with file.open("rb") as stream:
                    while block := stream.read(1 << 20):
                        whole.update(block)
            self._files[path] = whole.hexdigest()
        return self._files[path]

    def value(self, value: Any, within: tuple[int, ...] = ()) -> str:
        """Return the digest of a value that takes part in a computation; `within` are the ids of what holds it.

        What cannot be told apart by its content (an open file, a lock) gets a digest of its own: such cells run anew.
        """
        if isinstance(value, _ATOMS):
            return repr(value)
        if id(value) in within:
            return "(itself)"
        inner = functools.partial(self.value, within=(*within, id(value)))
        if isinstance(value, list | tuple):
            return f"({','.join(map(inner, value))})"
        if isinstance(value, set | frozenset):
            return f"{{{','.join(sorted(map(inner, value)))}}}"
        if isinstance(value, Mapping):
            return f"{{{','.join(sorted(f'{inner(k)}:{inner(v)}' for k, v in value.items()))}}}"
        if isinstance(value, types.ModuleType):
            return self._named(value.__name__, "")
        return _hash(type(value).__qualname__, *self._parts(value, inner))

    def _parts(self, value: Any, inner: Any) -> Iterator[str]:
        """Yield the digests of what a callable or an object is made of."""
        if isinstance(value, functools.partial):
            yield from map(inner, (value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            yield from map(inner, (value.__func__, value.__self__))
        elif isinstance(value, staticmethod | classmethod):
            yield inner(value.__func__)
        elif isinstance(value, property):
            yield from map(inner, (value.fget, value.fset, value.fdel))
        elif isinstance(value, type):
            yield self._named(value.__module__, value.__qualname__)
            if self._is_live(value.__module__) or "<locals>" in value.__qualname__:
                yield from map(inner, value.__bases__)
                yield inner({name: member for name, member in vars(value).items() if name not in _OF_NO_MEANING})
        elif isinstance(value, types.FunctionType):
            yield self._named(value.__module__, value.__qualname__)
            yield from self._bound(value, inner)
        elif isinstance(value, types.BuiltinFunctionType):
            yield f"{value.__module__}.{value.__qualname__}"
        else:
            yield from self._state(value, inner)

    def _bound(self, function: types.FunctionType, inner: Any) -> Iterator[str]:
        """Yield the digests of what a function's source does not tell: closure, defaults, a notebook's globals."""
        held = _contents(function)
        if not self._reach.counts(function.__module__ or ""):
            held = [item for item in held if callable(item)]  # a library's wrapper: what it wraps, not its own state
        yield inner(held)
        if "<locals>" in function.__qualname__:
            yield inner((function.__defaults__, function.__kwdefaults__))
        if self._is_live(function.__module__):
            names: dict[str, None] = {}
            yield inner(list(_bytecode(function.__code__, names)))
            used = [name for name in names if name in function.__globals__]
            yield inner({name: function.__globals__[name] for name in used})
            yield inner((function.__defaults__, function.__kwdefaults__))

    def _state(self, value: Any, inner: Any) -> Iterator[str]:
        """Yield the digests of an object's class and content, as pickling would take it apart."""
        yield inner(type(value))
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:
            yield uuid.uuid4().hex
            return
        if isinstance(reduced, str):
            yield reduced
        else:
            yield from map(inner, reduced[:3])
            yield from (inner(list(items)) for items in reduced[3:5] if items is not None)

    def _named(self, module: str | None, qualname: str) -> str:
        """Return the digest of the sources that a name reaches, or the name alone where they do not count."""
        if not module or not self._reach.counts(module) or not self._reach.path(module):
            return f"{module}.{qualname}"
        return _hash(qualname, *sorted(self._reach.reached(module, qualname.partition(".")[0] or None).values()))

    def _is_live(self, module: str | None) -> bool:
        """Whether a module counts and no file keeps its source: a notebook or a console."""
        return bool(module) and self._reach.counts(module or "") and not self._reach.path(module or "")


def _contents(function: types.FunctionType) -> list[Any]:
    """Return what the variables of a closure hold; one that is not bound yet is left out."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return found


def _bytecode(code: types.CodeType, names: dict[str, None]) -> Iterator[Any]:
    """Yield the instructions and constants of a code object and of those inside; add the names used to `names`."""
    names.update(dict.fromkeys(code.co_names))
    yield code.co_code
    yield code.co_names + code.co_varnames
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _bytecode(constant, names)
        else:
            yield constant


def entry_at(entry: str, seed: int) -> str:
    """Return the content address of a cell, 32 hexadecimal digits, from its entry's digest and its seed."""
    return _hash(entry, str(seed))


def combined(digests: Mapping[str, str]) -> str:
    """Return one digest for several named ones: what a recorded verdict rests on."""
    return _hash(*(f"{name}={digests[name]}" for name in sorted(digests)))
