"""What is installed. Listing reads the metadata of distributions and imports none of them; loading imports those that a
selection needs, and keeps a plugin that cannot be used as a problem with a reason while the rest goes on.

A plugin tells in its metadata what it is: the entry point in group `assay`, the project's description as title, and
keywords `family:sets`, `task:sets/point-clouds`, `paper:deep-sets`, `claim:exact-invariance`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.errors import AssayError, unknown

if TYPE_CHECKING:
    import pluggy

    from assay.spec import Backend, Dataset, Metric, Model, Paper, Schema, Suite, Task

GROUP = "assay"


class Plugin(NamedTuple):
    """A distribution that offers something to assay, as its metadata tells it."""

    name: str
    version: str
    title: str
    module: str
    keywords: tuple[str, ...]

    def having(self, key: str) -> tuple[str, ...]:
        """Return the values of a keyword: `having("claim")` gives the claim ids."""
        return tuple(k.partition(":")[2] for k in self.keywords if k.startswith(key + ":"))

    @property
    def family(self) -> str:
        """The family that the plugin belongs to, empty for one that serves all (a backend, a tracker)."""
        return next(iter(self.having("family")), "")

    @property
    def paper(self) -> str:
        """The id of the paper, empty for a suite or a tool."""
        return next(iter(self.having("paper")), "")


class Problem(NamedTuple):
    """A plugin that cannot be used, and why."""

    distribution: str
    reason: str


def installed() -> list[Plugin]:
    """Return every plugin on the path by its metadata alone, ordered by name. Imports no plugin."""
    found: dict[str, Plugin] = {}
    for folder in sys.path:
        for info in _folders_of_metadata(folder or "."):
            entries = _text(f"{info}/entry_points.txt")
            if f"[{GROUP}]" in entries:
                plugin = _plugin(entries, _text(f"{info}/METADATA") or _text(f"{info}/PKG-INFO"))
                found.setdefault(plugin.name, plugin)
    return [found[name] for name in sorted(found)]


def _folders_of_metadata(folder: str) -> list[str]:
    """Return the metadata folders of installed distributions. `importlib.metadata` takes ten times as long."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(f"{folder}/{name}" for name in names if name.endswith((".dist-info", ".egg-info")))


def _text(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def _plugin(entries: str, metadata: str) -> Plugin:
    header = metadata.partition("\n\n")[0]
    fields = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line and not line.startswith(" "))
    section = entries.partition(f"[{GROUP}]")[2].strip().partition("\n[")[0]
    module = section.splitlines()[0].partition("=")[2].strip() if section else ""
    keywords = tuple(k.strip() for k in fields.get("Keywords", "").split(",") if k.strip())
    return Plugin(fields.get("Name", "?"), fields.get("Version", "?"), fields.get("Summary", ""), module, keywords)


class Catalog:
    """The installed plugins and, once loaded, what they register.

    Ids: tasks are `family/name`; data sets and metrics are kept as `family/name` too, where the family is that of the
    plugin that registers them, and may be named by the short name from a task of the same family. Models are kept by
    (task, id), papers by id.
    """

    def __init__(self, plugins: Iterable[Plugin] | None = None) -> None:
        import pluggy

        from assay import hooks
        from assay.spec import COSTS, CPU

        self.plugins = list(installed() if plugins is None else plugins)
        self.problems: list[Problem] = []
        self.manager = pluggy.PluginManager(hooks.PROJECT)
        self.manager.add_hookspecs(hooks)
        self.tasks: dict[str, Task] = {}
        self.datasets: dict[str, Dataset] = {}
        self.schemas: dict[str, Schema] = {}
        self.models: dict[tuple[str, str], Model] = {}
        self.metrics: dict[str, Metric] = dict(COSTS)
        self.backends: dict[str, Backend] = {CPU.id: CPU}
        self.papers: dict[str, Paper] = {}
        self.suites: dict[str, Suite] = {}
        self.origins: dict[tuple[str, Any], str] = {
            ("backend", CPU.id): "assay",
            **{("metric", cost): "assay" for cost in COSTS},
        }
        self._tried: set[str] = set()

    @property
    def hook(self) -> pluggy.HookRelay:
        """The lifecycle hooks of the loaded plugins."""
        return self.manager.hook

    def load(self, *, tasks: Iterable[str] | None = None) -> Catalog:
        """Load the plugins of some tasks, or all, and those that belong to no task. Suites come before papers."""
        wanted = None if tasks is None else set(tasks)
        for plugin in sorted(self.plugins, key=lambda p: (bool(p.paper), p.name)):
            own = set(plugin.having("task"))
            if plugin.name not in self._tried and (wanted is None or not own or own & wanted):
                self._tried.add(plugin.name)
                try:
                    _check_api(plugin)
                    self._register(plugin, importlib.import_module(plugin.module))
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    self._drop(
                        plugin, f"{type(error).__name__}: {error}" if not isinstance(error, AssayError) else str(error)
                    )
        return self

    def _drop(self, plugin: Plugin, reason: str) -> None:
        """Keep nothing of a plugin that cannot be used."""
        if self.manager.has_plugin(plugin.name):
            self.manager.unregister(name=plugin.name)
        self.problems.append(Problem(plugin.name, " ".join(reason.split())[:240] or "unknown error"))
        print(f"assay: {plugin.name} is left out: {self.problems[-1].reason}", file=sys.stderr)

    def _register(self, plugin: Plugin, module: Any) -> None:
        self.manager.register(module, name=plugin.name)
        self.manager.check_pending()
        offered = list(self._offers(plugin, module))
        taken = dict(self.origins)
        for kind, key, item in offered:
            other = taken.get((kind, key)) or taken.get((kind, item.id))
            if other is not None:
                shown = " / ".join(key) if isinstance(key, tuple) else key
                raise AssayError(f"{kind} {shown!r} is registered by {other} already")
            taken[kind, key] = plugin.name
        for kind, key, item in offered:
            self.origins[kind, key] = plugin.name
            getattr(self, kind + "s")[key] = item

    def task(self, name: str) -> Task:
        """Return a loaded task, or raise an error with the nearest ids."""
        if name not in self.tasks:
            from assay import index

            self.blame("task", name)
            raise index.absent(
                "task", name, [*self.tasks, *(t for p in self.plugins if not p.paper for t in p.having("task"))]
            )
        return self.tasks[name]

    def blame(self, kind: str, name: str) -> None:
        """Raise an error with the reason when the plugin that says it has a task or paper cannot be used."""
        for plugin in self.plugins:
            for problem in self.problems:
                offers = name in plugin.having(kind) and (kind == "paper" or not plugin.paper)
                if offers and problem.distribution == plugin.name:
                    raise AssayError(f"{kind} {name!r} cannot be used: {plugin.name}: {problem.reason}")

    def distributions(self, *keys: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
        """Return (name, version) of the distributions that registered what the keys name, sorted."""
        names = {self.origins[key] for key in keys if key in self.origins}
        return tuple(sorted((p.name, p.version) for p in self.plugins if p.name in names))

    def model(self, task: str, name: str) -> Model:
        """Return an entrant of a task."""
        if (task, name) not in self.models:
            raise unknown("model", name, [m for t, m in self.models if t == task], hint=f"(task {task})")
        return self.models[task, name]

    def dataset(self, task: Task, name: str) -> tuple[str, Dataset]:
        """Return the full id and the data set that a short or full name means for a task."""
        full = name if "/" in name else f"{task.family}/{name}"
        fitting = {key: d for key, d in self.datasets.items() if d.schema == task.schema}
        if full in fitting:
            return full, fitting[full]
        if full in self.datasets:
            raise AssayError(
                f"data set {full!r} has schema {self.datasets[full].schema!r}; {task.id} takes {task.schema!r}: "
                + ", ".join(sorted(fitting))
            )
        raise unknown("data set", name, [key.partition("/")[2] for key in fitting], hint=f"(task {task.id})")

    def metric(self, task: Task, name: str) -> Metric:
        """Return a metric or cost by short or full name, as seen from a task."""
        for key in (f"{task.family}/{name}", name):
            if key in self.metrics:
                return self.metrics[key]
        family = [
            key.partition("/")[2] or key for key in self.metrics if key.startswith(task.family + "/") or "/" not in key
        ]
        raise unknown("metric", name, family, hint=f"(task {task.id})")

    def backend(self, name: str) -> Backend:
        """Return a backend that can be used here; one that cannot is an error with its reason."""
        if name not in self.backends:
            raise unknown("backend", name, self.backends, hint=f"(pip install assay-backend-{name}?)")
        reason = self.backends[name].available()
        if reason:
            raise AssayError(f"backend {name!r} cannot be used here: {reason}")
        return self.backends[name]

    def paper(self, name: str) -> Paper:
        """Return a loaded paper."""
        if name not in self.papers:
            from assay import index

            self.blame("paper", name)
            raise index.absent("paper", name, [p.paper for p in self.plugins if p.paper])
        return self.papers[name]

    def plugin(self, paper: str) -> Plugin:
        """Return the plugin of a paper by metadata alone."""
        for plugin in self.plugins:
            if plugin.paper == paper:
                return plugin
        from assay import index

        raise index.absent("paper", paper, [p.paper for p in self.plugins if p.paper])

    def _offers(self, plugin: Plugin, module: Any) -> Iterator[tuple[str, Any, Any]]:
        """Yield (kind, key, item) for all that a plugin's hooks return; raise on what is not of the hook's type."""
        from assay import spec

        kinds = (spec.Suite, spec.Task, spec.Dataset, spec.Schema, spec.Model, spec.Metric, spec.Backend, spec.Paper)
        by_hook = {f"assay_{expected.__name__.lower()}s": expected for expected in kinds}
        for caller in self.manager.get_hookcallers(module) or []:
            expected = by_hook.get(caller.name)
            if expected is None:
                continue
            (hook,) = (impl for impl in caller.get_hookimpls() if impl.plugin is module)
            items = hook.function()
            if not isinstance(items, list | tuple):
                raise AssayError(
                    f"{caller.name}() must return a list of {expected.__name__}, got {type(items).__name__}"
                )
            for item in items:
                if not isinstance(item, expected):
                    raise AssayError(f"{caller.name}() must return a list of {expected.__name__}, got {item!r:.80}")
                yield expected.__name__.lower(), _key(plugin, item), item


def _check_api(plugin: Plugin) -> None:
    """Raise when a plugin declares (keyword `api:1`) another version of the core's interface than this one."""
    import assay

    for version in plugin.having("api"):
        if version != str(assay.API):
            behind = "assay" if version.isdigit() and int(version) > assay.API else plugin.name
            raise AssayError(
                f"made for version {version} of assay's plugin interface, this assay {assay.__version__} offers "
                f"{assay.API}: pip install --upgrade {behind}"
            )


def _key(plugin: Plugin, item: Any) -> Any:
    """Return the key under which the catalog keeps an item."""
    from assay.spec import Dataset, Metric, Model

    if isinstance(item, Model):
        return (item.task, item.id)
    if isinstance(item, Dataset | Metric) and plugin.family and "/" not in item.id:
        return f"{plugin.family}/{item.id}"
    return item.id
