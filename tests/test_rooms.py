"""What each room of the core may import: the table of the design, kept here as data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import assay
import pytest

CORE = Path(assay.__file__).parent

ROOMS = {
    "spec": "",
    "errors": "",
    "stats": "",
    "expressions": "spec errors",
    "claims": "spec errors expressions",
    "hooks": "spec",
    "catalog": "spec errors hooks",
    "reach": "errors",
    "digest": "spec reach",
    "context": "spec",
    "capture": "",
    "failures": "",
    "cell": "spec hooks context capture failures",
    "plan": "spec errors expressions catalog digest cell",
    "own": "spec errors",
    "entering": "spec errors catalog plan own",
    "executors": "spec errors catalog cell",
    "executors.inline": "spec cell executors",
    "executors.shipping": "spec errors catalog cell own plan",
    "executors.system": "",
    "executors.worker": "spec executors.shipping executors.system",
    "executors.forkserver": "errors context executors.shipping executors.system executors.worker",
    "executors.process": "capture failures executors.shipping executors.system executors.worker",
    "executors.pool": "spec errors executors executors.forkserver executors.process executors.shipping executors.worker",
    "executors.dask": "spec errors cell executors executors.pool executors.shipping",
    "tables": "spec",
    "store": "spec errors tables",
    "leases": "errors store tables",
    "running": "spec catalog cell executors leases progress store",
    "progress": "spec",
    "leaderboard": "spec stats",
    "verdicts": "spec errors claims expressions stats",
    "recording": "verdicts",
    "render": "leaderboard verdicts",
    "verifying": "spec errors catalog claims executors expressions plan cell running store stats verdicts",
    "doctor": "errors catalog context executors store",
    "track": "errors",
    "publishing": "errors track",
    "api": "spec errors catalog entering executors leaderboard plan running store verifying",
    "cli": "errors",
    "commands": "",
    "commands.common": "errors executors progress",
    "commands.list": "catalog render commands.common",
    "commands.show": "catalog doctor commands.common",
    "commands.run": "api commands.common",
    "commands.verify": "api recording render commands.common",
    "commands.compare": "api render commands.common",
    "commands.doctor": "doctor commands.common",
    "commands.track": "publishing track commands.common",
}
"""Each room and the rooms that it may import; `import assay` itself is allowed to tell the version."""

LIGHT = ("spec", "errors", "catalog", "hooks", "expressions", "claims", "render", "progress", "cli", "reach")
"""Rooms that `--help`, `list` and plugins' metadata need: no library but pluggy."""


def rooms() -> list[tuple[str, ast.Module]]:
    found = []
    for path in sorted(CORE.rglob("*.py")):
        name = ".".join(path.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found.append((name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Yield the modules that statements import, with rooms of the core as `assay.ROOM`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the core names its rooms in full"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("assay.") in ROOMS else str(node.module)


def at_start(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements that run when a module is imported: not in functions, nor for type checkers alone."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            todo += ast.iter_child_nodes(node)


@pytest.mark.parametrize(("room", "tree"), rooms(), ids=lambda x: x if isinstance(x, str) else "")
def test_a_room_imports_what_the_design_allows(room, tree):
    assert room in ROOMS, f"a new room: add {room} to the table, with the rooms that it may import"
    used = {m.removeprefix("assay.") for m in imported(ast.walk(tree)) if m.startswith("assay.")}
    assert used <= set(ROOMS[room].split()), f"{room} imports {sorted(used - set(ROOMS[room].split()))}"


def test_the_table_has_no_cycle_and_no_room_that_is_gone():
    present = {name for name, _ in rooms()}
    assert set(ROOMS) == present
    order: list[str] = []
    while len(order) < len(ROOMS):
        free = [room for room in ROOMS if room not in order and set(ROOMS[room].split()) <= set(order)]
        assert free, f"a cycle among {sorted(set(ROOMS) - set(order))}"
        order += free


@pytest.mark.parametrize(("room", "tree"), rooms(), ids=lambda x: x if isinstance(x, str) else "")
def test_importing_a_room_imports_no_torch(room, tree):
    heavy = {"torch", "pandas", "pyarrow", "sklearn"}
    assert not heavy & {m.partition(".")[0] for m in imported(at_start(tree))}


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_import_no_library(room):
    libraries = {"numpy", "scipy", "sqlalchemy", "packaging"}
    assert not libraries & {m.partition(".")[0] for m in imported(at_start(dict(rooms())[room]))}


def test_every_public_name_can_be_imported():
    assert all(getattr(assay, name) is not None for name in assay.__all__)
    assert set(assay.__all__) <= set(dir(assay))
    with pytest.raises(AttributeError, match="nothing_like_that"):
        _ = assay.nothing_like_that
