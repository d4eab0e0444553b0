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
    "cell": "spec hooks context examples",
    "plan": "spec errors expressions catalog digest cell",
    "own": "spec errors",
    "entering": "spec errors catalog plan own",
    "executors": "",
    "executors.inline": "spec cell",
    "store": "spec errors",
    "running": "spec catalog cell examples executors.inline store",
    "progress": "spec",
    "leaderboard": "spec errors stats",
    "verdicts": "spec claims deciding expressions stats",
    "recording": "spec errors catalog recorded verdicts",
    "render": "expressions leaderboard power recorded verdicts",
    "verifying": "spec errors catalog claims expressions plan cell reach running sources store stats verdicts",
    "deciding": "expressions stats",
    "examples": "errors",
    "across": "leaderboard",
    "sources": "errors reach cell",
    "recorded": "errors catalog digest sources",
    "boards": "across render resampling",
    "power": "stats verdicts",
    "resampling": "stats",
    "differing": "spec errors examples leaderboard resampling",
    "falsify": "errors claims expressions store verdicts verifying",
    "commands.power": "errors power recording render verifying commands.common",
    "doctor": "errors catalog store",
    "track": "errors",
    "publishing": "errors track",
    "api": "spec errors catalog differing entering examples leaderboard plan resampling running store verifying",
    "cli": "errors",
    "commands": "",
    "commands.common": "errors progress",
    "commands.list": "errors catalog index recorded render commands.common",
    "commands.show": "catalog doctor recorded render commands.common",
    "commands.run": "api commands.common",
    "commands.verify": "errors api catalog recording render commands.common",
    "commands.compare": "across api boards leaderboard recording render commands.common",
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
