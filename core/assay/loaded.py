"""Whether a module in memory is still what its file says.

In a long session a file can be edited after it was imported: then the old code would run, and its records would be kept
under the address of the new one.
"""

from __future__ import annotations

import ast
import inspect
import sys
import time
import types
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_STARTED = time.time()


def differs(name: str, path: str, tree: ast.Module) -> bool:
    """Whether a loaded module has another function, or another plain constant, than its file, parsed as `tree`.

    Only files written since assay was imported are looked at. Docstrings, comments and formatting make no difference.
    """
    if name not in sys.modules or Path(path).stat().st_mtime <= _STARTED:
        return False
    members = vars(sys.modules[name])
    constants = [s for s in tree.body if isinstance(s, ast.Assign) and isinstance(s.value, ast.Constant)]
    stored = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    once = {symbol for symbol, times in Counter(stored).items() if times == 1}
    for statement in constants:
        names = {n.id for n in statement.targets if isinstance(n, ast.Name)} & once
        value = ast.literal_eval(statement.value)
        if any(members.get(symbol, value) != value for symbol in names):
            return True
    return _is_other(compile(tree, path, "exec"), members, name)


def _is_other(code: types.CodeType, members: Mapping[str, object], module: str) -> bool:
    """Whether a function among the members of a module or class is none of those in its fresh code."""
    inside = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    for name in {c.co_name for c in inside}:
        candidates = [c for c in inside if c.co_name == name]
        value = inspect.unwrap(found) if callable(found := members.get(name)) else found
        if getattr(value, "__module__", None) != module:
            continue
        if isinstance(value, type) and len(candidates) == 1:
            if _is_other(candidates[0], vars(value), module):
                return True
        elif isinstance(value, types.FunctionType) and value.__code__.co_name == name:
            known = list(map(_instructions, candidates))
            if _instructions(value.__code__) not in known:
                return True
    return False


def _instructions(code: types.CodeType) -> tuple[object, ...]:
    """Return what a code object does, whatever its docstring and its lines."""
    constants = code.co_consts[1:] if code.co_consts and isinstance(code.co_consts[0], str) else code.co_consts
    inner = tuple(_instructions(c) if isinstance(c, types.CodeType) else c for c in constants)
    return code.co_code, code.co_names, inner
