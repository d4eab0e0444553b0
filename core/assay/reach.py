"""Which statements of Python source a function or class reaches: by name, and through imports of modules that count.

What counts are assay's plugins and the user's own modules; the standard library and installed packages do not. Comments,
formatting, docstrings and statements that nothing reaches leave the result as it is. A statement that acts when its
module is imported (a call, a loop, an item set in a table) is reached by all that the module holds.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
import sysconfig
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from assay import loaded
from assay.errors import AssayError

EFFECTS = ""
"""In place of a symbol: the statements of a module that act on import."""
Place = tuple[str, "str | None"]
"""A module and one of its symbols; None for all that it binds."""


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file, parsed anew when it was edited; it is shared, so leave it as it is."""
    return _parsed(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _parsed(path: Path, _: int) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


class Module:
    """The top-level statements of a source file by the names that they bind."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.is_package = path.endswith("__init__.py")
        self.bound: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []
        try:
            tree = parsed(Path(path))
        except (OSError, SyntaxError, ValueError) as error:
            raise AssayError(f"the source of {name} cannot be read: {path}: {error}") from error
        for statement in _one_name_imports(tree.body):
            if _never_runs(statement) or _is_docstring(statement):
                continue
            names = set(_binds(statement))
            for bound in names - {"*"}:
                self.bound.setdefault(bound, []).append(statement)
            if "*" in names or _acts(statement):
                self.effects.append(statement)
        self.outdated = f"{path} was changed after it was imported" if loaded.differs(name, path, tree) else ""

    def reached(self, symbol: str | None) -> list[ast.stmt]:
        """Return the statements that bind a symbol (all of them for None or an unknown one), or those that act."""
        if symbol == EFFECTS:
            return self.effects
        if symbol in self.bound:
            return self.bound[symbol]
        return [statement for statements in self.bound.values() for statement in statements]


class Reach:
    """Parsed sources, each read once. Make a new one to see what was edited.

    `packages` are the top-level packages that count beside those named `assay_...` and the user's own.
    """

    def __init__(self, packages: Iterable[str] = ()) -> None:
        self._packages = set(packages)
        self._modules: dict[str, Module] = {}
        self._paths: dict[str, str | None] = {}
        self._places: dict[Place, tuple[str, list[Place]]] = {}

    def counts(self, module: str) -> bool:
        """Whether a module's source is part of what reaches it."""
        top = module.partition(".")[0]
        if top in ("assay", "builtins"):
            return False
        return top in self._packages or top.startswith("assay_") or top == "__main__" or _is_users(self.path(top))

    def path(self, module: str) -> str | None:
        """Return the path of a module's Python source, None if it has none (a builtin, a notebook, an extension)."""
        if module not in self._paths:
            present = sys.modules.get(module)
            path = getattr(present, "__file__", None)
            if present is None:
                try:
                    found = importlib.util.find_spec(module)
                except Exception:  # whatever the import of a parent package raises
                    found = None
                path = found.origin if found else None
            self._paths[module] = path if path and path.endswith(".py") and Path(path).is_file() else None
        return self._paths[module]

    def reached(self, module: str, symbol: str | None) -> dict[Place, str]:
        """Return by place all statements that a module's symbol reaches, as texts that formatting does not change."""
        seen: dict[Place, str] = {}
        todo: list[Place] = [(module, symbol)]
        while todo:
            place = todo.pop()
            if place not in seen:
                if place not in self._places:
                    self._places[place] = self._look(place)
                seen[place], following = self._places[place]
                todo += following
        return {place: text for place, text in seen.items() if text}

    def _look(self, place: Place) -> tuple[str, list[Place]]:
        """Return the statements at a place as text, and the places that they lead to."""
        name, symbol = place
        module = self._module(name)
        statements = module.reached(symbol)
        parents = [name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)]
        following: list[Place] = [(parent, EFFECTS) for parent in parents if self.path(parent)]
        for node in (node for statement in statements for node in ast.walk(statement)):
            if isinstance(node, ast.Name) and node.id in module.bound:
                following.append((name, node.id))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    following += self._imported(alias.name, None)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    following += self._imported(_absolute(module, node), alias.name)
        return "\n".join(map(text_of, statements)), list(dict.fromkeys(following))

    def _imported(self, target: str, name: str | None) -> Iterator[Place]:
        """Yield what `import target` (no name) or `from target import name` leads to where the target counts."""
        if not self.counts(target):
            return
        submodule = f"{target}.{name}"
        is_submodule = name not in (None, "*") and self.path(submodule) is not None
        if is_submodule:
            yield submodule, None
        if self.path(target) and (not is_submodule or name in self._module(target).bound):
            yield target, None if name == "*" else name

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            module = Module(name, self.path(name) or name)
            if module.outdated:
                raise AssayError(f"{module.outdated}: start Python anew, or reload {name}")
            self._modules[name] = module
        return self._modules[name]


@functools.cache
def _is_users(path: str | None) -> bool:
    """Whether a source file is the user's own: outside the standard library and every folder of installed packages."""
    if path is None:
        return False
    installed = {"site-packages", "dist-packages"} & set(Path(path).parts)
    return not installed and not Path(path).is_relative_to(sysconfig.get_path("stdlib"))


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _binds(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds, `*` for all names of a module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _acts(statement: ast.stmt) -> bool:
    """Whether a top-level statement may do more than bind names."""
    if isinstance(
        statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass
    ):
        return False
    if isinstance(statement, ast.Assign):
        parts = [part for target in statement.targets for part in ast.walk(target)]
        return any(isinstance(part, ast.Subscript | ast.Attribute) for part in parts)
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return not isinstance(statement.target, ast.Name)
    if isinstance(statement, ast.If):
        return any(map(_acts, (*statement.body, *statement.orelse)))
    if isinstance(statement, ast.Try):
        handlers = [s for handler in statement.handlers for s in handler.body]
        return any(map(_acts, (*statement.body, *handlers, *statement.orelse, *statement.finalbody)))
    return not isinstance(statement, ast.Raise)


def _never_runs(statement: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING:` or `if __name__ == "__main__":`, of which nothing can be reached."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    return ast.unparse(statement.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")


def _one_name_imports(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements with `from a import b, c` taken apart, so that each name brings along only its own import."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (ast.Import([alias]) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield from (ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names)
        else:
            yield statement


def _is_docstring(statement: object) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def text_of(node: object, without: Container[str | None] = ()) -> str:
    """Return the meaning of a syntax tree: the same for any formatting and any Python version that can parse it.

    Arguments by the keywords `without` are left out.
    """
    if isinstance(node, list):
        return "[" + ",".join(text_of(item, without) for item in node if not _is_docstring(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    told = []
    for name, value in ast.iter_fields(node):
        if name == "keywords" and without:
            value = [keyword for keyword in value if keyword.arg not in without]
        if value is not None and value != [] and name != "ctx":
            told.append(f"{name}={text_of(value, without)}")
    return f"{type(node).__name__}({','.join(told)})"
