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
    "catalog": "spec errors hooks index",
    "loaded": "",
    "reach": "errors loaded",
    "digest": "spec reach",
    "machine": "",
    "timing": "",
    "context": "failures spec timing",
    "roofline": "context machine spec",
    "cell": "spec hooks context capture failures examples machine roofline",
    "jobs": "cell digest",
    "plan": "spec errors expressions catalog digest cell jobs index",
    "own": "spec errors",
    "entering": "spec errors catalog plan own",
    "executors": "errors",
    "executors.inline": "spec cell executors",
    "store": "spec errors tables",
    "text": "",
    "notebook": "text",
    "feed": "cell examples leases progress spec store",
    "running": "spec catalog cell store executors feed leases progress notebook",
    "progress": "spec",
    "leaderboard": "spec stats errors notebook",
    "verdicts": "spec claims expressions stats deciding notebook",
    "recording": "verdicts catalog errors recorded spec",
    "render": "expressions text",
    "verifying": "spec errors catalog claims expressions plan cell running store stats verdicts executors reach sources judged recording",
    "judged": "store tables",
    "backends": "failures",
    "by_backend": "leaderboard spec stats",
    "health": "store tables",
    "doctor": "errors catalog store context executors health leases roofline spec tables text",
    "tracking": "",
    "tracking.checkout": "checks.subject errors",
    "tracking.libraries": "tracking.checkout",
    "tracking.results": "tracking.checkout",
    "tracking.judging": "tracking.results",
    "tracking.running": "errors tracking.checkout tracking.judging tracking.results",
    "tracking.showing": "tracking.judging",
    "tracking.publishing": "errors tracking.checkout",
    "api": "by_backend spec errors catalog entering leaderboard plan running store verifying executors differing examples resampling export",
    "export": "errors leaderboard spec text",
    "mlflow_export": "errors spec",
    "report": "report.content report.page",
    "report.figures": "",
    "report.arenas": "leaderboard report.figures spec tables",
    "report.papers": "catalog errors recorded report.figures sources spec",
    "report.content": "catalog judged report.arenas report.papers spec store tables",
    "report.page": "errors",
    "report.serve": "errors report.content report.page report.tracked store",
    "report.tracked": "errors",
    "cli": "errors completing",
    "commands": "",
    "commands.common": "errors progress executors",
    "commands.list": "catalog render index errors recorded",
    "commands.show": "catalog doctor recorded render",
    "commands.run": "api commands.common",
    "commands.verify": "api recording render commands.common catalog errors",
    "commands.compare": "api errors render commands.common across boards leaderboard recording",
    "commands.doctor": "doctor commands.common",
    "commands.export": "api export mlflow_export store errors commands.common",
    "commands.report": "report report.content report.serve report.tracked commands.common",
    "commands.track": "commands.common errors tracking tracking.checkout tracking.judging tracking.publishing tracking.results tracking.running tracking.showing",
    "checks": "",
    "checks.agreement": "checks.kit checks.subject fixing",
    "checks.audit": "",
    "checks.claimed": "checks.kit checks.registered checks.subject claims errors expressions index spec",
    "checks.data": "checks.kit checks.subject checks.watch",
    "checks.documents": "checks.kit checks.subject readme sources",
    "checks.equivalence": "checks.kit checks.probes checks.smoke checks.subject context failures running spec store",
    "checks.imports": "checks.kit checks.requirements checks.subject",
    "checks.kit": "",
    "checks.limits": "",
    "checks.manners": "checks.kit checks.smoke checks.subject",
    "checks.noting": "",
    "checks.packaging": "checks.kit checks.subject recorded",
    "checks.probes": "checks.kit checks.smoke checks.subject checks.watch context spec",
    "checks.registered": "checks.kit checks.subject errors spec",
    "checks.requirements": "checks.kit checks.subject",
    "checks.runner": "checks.agreement checks.claimed checks.data checks.documents checks.imports checks.kit checks.manners checks.packaging checks.probes checks.registered checks.requirements checks.smoke checks.source checks.subject errors",
    "checks.smoke": "cell checks.claimed checks.kit checks.limits checks.subject checks.watch errors spec",
    "checks.source": "checks.kit checks.subject",
    "checks.subject": "catalog checks.kit errors plan reach",
    "checks.watch": "checks.audit checks.noting",
    "commands.check": "checks.equivalence checks.runner checks.subject commands.common errors fixing store",
    "commands.completion": "completing",
    "commands.docs": "catalog checks.subject errors",
    "commands.install": "errors installing render",
    "commands.new": "errors scaffold",
    "commands.uninstall": "installing",
    "completing": "catalog commands.export index",
    "fixing": "checks.kit readme",
    "index": "errors",
    "indexing": "checks.subject index recorded",
    "installing": "catalog checks.subject errors index indexing",
    "pytesting": "checks.runner checks.subject",
    "readme": "api checks.subject errors render spec templating recorded",
    "scaffold": "catalog errors templating fixing",
    "templating": "errors",
    "capture": "",
    "executors.dask": "cell errors executors executors.pool executors.shipping spec",
    "executors.forkserver": "context errors executors.shipping executors.system executors.worker",
    "executors.pool": "errors executors executors.forkserver executors.process executors.shipping executors.worker spec",
    "executors.process": "capture executors.shipping executors.system executors.worker failures",
    "executors.shipping": "catalog cell errors own plan roofline spec",
    "executors.system": "",
    "executors.worker": "executors.shipping executors.system spec",
    "failures": "",
    "leases": "errors store tables",
    "tables": "spec",
    "across": "leaderboard",
    "boards": "by_backend render",
    "commands.power": "commands.common errors power recording render verifying",
    "deciding": "expressions stats",
    "differing": "errors examples leaderboard resampling spec",
    "examples": "errors",
    "falsify": "claims errors expressions store verdicts verifying",
    "power": "stats verdicts",
    "recorded": "catalog digest errors sources",
    "resampling": "stats",
    "sources": "errors reach",
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


def statements(tree: ast.Module, *, at_import: bool = False) -> Iterator[ast.AST]:
    """Yield the nodes of a module but those for type checkers alone; `at_import` leaves out the insides of functions."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not typing_only and not (at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield node
            todo += ast.iter_child_nodes(node)


@pytest.mark.parametrize(("room", "tree"), rooms(), ids=lambda x: x if isinstance(x, str) else "")
def test_a_room_imports_what_the_design_allows(room, tree):
    assert room in ROOMS, f"a new room: add {room} to the table, with the rooms that it may import"
    used = {m.removeprefix("assay.") for m in imported(statements(tree)) if m.startswith("assay.")}
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
    assert not heavy & {m.partition(".")[0] for m in imported(statements(tree, at_import=True))}


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_import_no_library(room):
    libraries = {"numpy", "scipy", "sqlalchemy", "packaging"}
    assert not libraries & {m.partition(".")[0] for m in imported(statements(dict(rooms())[room], at_import=True))}


def test_every_public_name_can_be_imported():
    assert all(getattr(assay, name) is not None for name in assay.__all__)
    assert set(assay.__all__) <= set(dir(assay))
    with pytest.raises(AttributeError, match="nothing_like_that"):
        _ = assay.nothing_like_that
