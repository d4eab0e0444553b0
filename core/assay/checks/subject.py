"""A plugin under check: its folder, its syntax trees, and what it registers."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.catalog import GROUP, Catalog, Plugin, installed
from assay.checks.kit import NotApplicable
from assay.errors import AssayError
from assay.reach import parsed

if TYPE_CHECKING:
    from assay.plan import Planner
    from assay.spec import Model, Paper, Suite, Task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file; raise AssayError when it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AssayError(f"{path}: {error}") from None


def plugin_of(folder: Path) -> Plugin:
    """Return what a plugin's pyproject.toml says of it, as the metadata of its distribution will."""
    project = read_toml(folder / "pyproject.toml").get("project", {})
    entries = project.get("entry-points", {}).get(GROUP, {})
    keywords = tuple(str(k) for k in project.get("keywords", ()))
    title, module = project.get("description", ""), next(iter(entries.values()), "")
    return Plugin(project.get("name", folder.name), str(project.get("version", "0")), title, module, keywords)


def folder_of(plugin: Plugin) -> Path | None:
    """Return the source folder of an installed plugin, None when it was installed from a wheel. Imports nothing."""
    found = importlib.util.find_spec(plugin.module.partition(".")[0]) if plugin.module else None
    if found is None or not found.origin:
        return None
    above = Path(found.origin).parent.parent if found.submodule_search_locations else Path(found.origin).parent
    return above if (above / "pyproject.toml").is_file() else None


class Subject:
    """A plugin, read as far as the checks ask. `folder` is None for one installed from a wheel."""

    def __init__(self, plugin: Plugin, folder: Path | None, catalog: Catalog) -> None:
        self.plugin, self.folder, self.catalog = plugin, folder, catalog
        self._offered: dict[str, dict[Any, Any]] = {}

    @property
    def name(self) -> str:
        """What the plugin is called: the paper's id, or the distribution's name."""
        return self.plugin.paper or self.plugin.name

    @property
    def root(self) -> Path:
        """The source folder; not applicable when there is none."""
        if self.folder is None:
            raise NotApplicable("installed from a wheel: its source folder is not here")
        return self.folder

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The whole of pyproject.toml."""
        return read_toml(self.root / "pyproject.toml")

    @property
    def project(self) -> dict[str, Any]:
        """The table `[project]`."""
        found: dict[str, Any] = self.pyproject.get("project", {})
        return found

    @cached_property
    def sources(self) -> dict[Path, str]:
        """The Python files of the module or package, with their text."""
        top = self.plugin.module.partition(".")[0]
        package = self.root / top
        files = sorted(package.rglob("*.py")) if package.is_dir() else [self.root / f"{top}.py"]
        return {path: path.read_text(encoding="utf-8") for path in files if path.is_file()}

    @cached_property
    def trees(self) -> dict[Path, ast.Module]:
        """The syntax trees of `sources`."""
        return {path: parsed(path) for path in self.sources}

    @cached_property
    def tests(self) -> dict[Path, str]:
        """The test files, with their text."""
        return {path: path.read_text(encoding="utf-8") for path in sorted(self.root.glob("test_*.py"))}

    def text(self, name: str) -> str:
        """Return a file of the folder, empty when there is none."""
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def recorded(self) -> dict[str, Any]:
        """The recorded verification of verdict.json, empty when nothing was recorded."""
        try:
            content = json.loads(self.text("verdict.json") or "{}")
        except json.JSONDecodeError as error:
            raise AssayError(f"verdict.json: {error}") from None
        return content if isinstance(content, dict) else {}

    @cached_property
    def _nodes(self) -> dict[type[ast.AST], list[tuple[str, Any]]]:
        """All nodes of the sources by kind, with the place where they stand."""
        found: dict[type[ast.AST], list[tuple[str, Any]]] = {}
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if hasattr(node, "lineno"):
                    found.setdefault(type(node), []).append((f"{path.name}:{node.lineno}", node))
        return found

    def nodes(self, *kinds: type[ast.AST]) -> list[tuple[str, Any]]:
        """Return (place, node) for all nodes of some kinds in the sources."""
        return [pair for kind in kinds for pair in self._nodes.get(kind, ())]

    @cached_property
    def problem(self) -> str:
        """Why the plugin cannot be imported, empty when it was."""
        self.catalog.load(tasks=self.plugin.having("task") or ("",))
        return next((p.reason for p in self.catalog.problems if p.distribution == self.plugin.name), "")

    def offered(self, kind: str) -> dict[Any, Any]:
        """Return what the plugin registers of a kind (`model`, `metric`, ...), by the catalog's key."""
        if self.problem:
            raise NotApplicable("the plugin cannot be imported")
        if kind not in self._offered:
            items, origins = getattr(self.catalog, kind + "s"), self.catalog.origins.items()
            own = self.plugin.name
            self._offered[kind] = {key: items[key] for (k, key), name in origins if (k, name) == (kind, own)}
        return self._offered[kind]

    @property
    def models(self) -> list[Model]:
        """The entrants; not applicable when there are none."""
        found = list(self.offered("model").values())
        if not found:
            raise NotApplicable("registers no entrant")
        return found

    @property
    def tasks(self) -> list[Task]:
        """The arenas; not applicable when there are none."""
        found = list(self.offered("task").values())
        if not found:
            raise NotApplicable("registers no task")
        return found

    @property
    def paper(self) -> Paper:
        """The paper; not applicable to a suite or a tool."""
        found: list[Paper] = list(self.offered("paper").values())
        if not found:
            raise NotApplicable("registers no paper")
        return found[0]

    @property
    def suite(self) -> Suite:
        """The family; not applicable to anything but a suite."""
        found: list[Suite] = list(self.offered("suite").values())
        if not found:
            raise NotApplicable("registers no family")
        return found[0]

    @cached_property
    def planner(self) -> Planner:
        """The planner of the catalog."""
        from assay.plan import Planner

        return Planner(self.catalog)

    def placed(self, model: Model) -> Task:
        """Return the task of an entrant; not applicable when its suite is not there."""
        if model.task not in self.catalog.tasks:
            raise NotApplicable(f"task {model.task} is not installed")
        return self.catalog.tasks[model.task]


def subjects(what: list[str]) -> list[Subject]:
    """Return the plugins that paper ids, distribution names and folders mean; all installed ones when none is given.

    A plugin whose source folder is here is read from its pyproject.toml: the installed metadata may lag behind.
    """
    plugins = {p.name: p for p in installed()}
    chosen: dict[str, Path | None] = {}
    for text in what or list(plugins):
        named = [p for p in plugins.values() if text in (p.paper, p.name)]
        folder = folder_of(named[0]) if named else Path(text).resolve()
        if folder is None:
            chosen[named[0].name] = None
        elif (folder / "pyproject.toml").is_file():
            if named:
                del plugins[named[0].name]
            plugin = plugin_of(folder)
            plugins[plugin.name], chosen[plugin.name] = plugin, folder
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        else:
            raise AssayError(f"{text!r} is neither an installed plugin nor a folder with a pyproject.toml: assay list")
    catalog = Catalog(plugins.values())
    return [Subject(plugins[name], folder, catalog) for name, folder in chosen.items()]
