"""`assay new`: writes the folder of a plugin whose mechanism is still to be written, and of which all else is in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import assay
from assay import catalog, fixing, templating
from assay.errors import AssayError, unknown

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
KINDS = ("paper", "family", "dataset", "metric", "backend")


@dataclass(frozen=True)
class Wanted:
    """What to write: `kind` is one of KINDS, `task` and `schema` are found in the family's suite when not given."""

    kind: str
    name: str
    family: str = ""
    title: str = ""
    authors: str = "Authors"
    year: int = 0
    arxiv: str = ""
    task: str = ""
    schema: str = ""


def write(wanted: Wanted, into: Path) -> list[Path]:
    """Write the plugin's folder into a folder; return its files. Nothing that exists is overwritten."""
    if not KEBAB.fullmatch(wanted.name):
        raise AssayError(f"name {wanted.name!r}: small letters, digits and hyphens, as in deep-sets")
    if wanted.kind in ("paper", "dataset", "metric") and not wanted.family:
        raise AssayError(f"a {wanted.kind} belongs to a family: --family NAME")
    files = _files(wanted)
    folder = into / wanted.name
    if folder.exists():
        raise AssayError(f"{folder} exists already: pick another name, or another place by --into")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _files(wanted: Wanted) -> dict[str, str]:
    """Return the texts by file name."""
    values = _values(wanted)
    stem, module = wanted.name.replace("-", "_"), values["module"]
    source = f"{module}/__init__.py" if values["package"] else f"{module}.py"
    test = {"paper": "test_paper.py.j2", "family": "test_family.py.j2"}.get(wanted.kind, "test_part.py.j2")
    files = {
        "pyproject.toml": templating.render("new/pyproject.toml.j2", **values),
        source: templating.render(f"new/{wanted.kind}.py.j2", **values),
        f"test_{stem}.py": templating.render(f"new/{test}", **values),
        "README.md": f"# {values['title']}\n",
    }
    if wanted.kind == "paper":
        files["verdict.json"] = "{}\n"
    return files


def _values(wanted: Wanted) -> dict[str, Any]:
    """Return what the templates are filled in with."""
    snake = wanted.name.replace("-", "_")
    prefix = {"dataset": "data-", "metric": "metric-", "backend": "backend-"}.get(wanted.kind, "")
    family = wanted.name if wanted.kind == "family" else wanted.family
    values: dict[str, Any] = {
        "kind": wanted.kind,
        "name": wanted.name,
        "snake": snake,
        "cls": "".join(part.capitalize() for part in wanted.name.split("-")),
        "family": family,
        "title": wanted.title or wanted.name.replace("-", " ").capitalize(),
        "authors": wanted.authors,
        "year": wanted.year or date.today().year,
        "arxiv": wanted.arxiv,
        "distribution": f"assay-{prefix}{wanted.name}",
        "module": f"assay_{prefix.replace('-', '_')}{snake}",
        "entry": wanted.name,
        "package": wanted.kind == "family",
        "function": {"dataset": "load", "backend": "prepare"}.get(wanted.kind, snake),
        "call": {"dataset": 'load(0, "smoke", None)', "backend": "prepare(None)"}.get(wanted.kind, f"{snake}({{}})"),
    }
    required = ['"assay>=0.1"']
    words = [f"api:{assay.API}", *([f"family:{family}"] if family else [])]
    if wanted.kind == "family":
        required += ['"numpy>=1.24"', '"torch>=2.2"']
        task = f"{wanted.name}/regression"
        words += [f"task:{task}", f"model:{task}/linear", f"dataset:{task}/products"]
    elif wanted.kind == "backend":
        words.append(f"backend:{wanted.name}")
    else:
        suite = _suite(family)
        required.append(f'"{suite.name}>={suite.version}"')
        values |= _arena(wanted, suite)
        if wanted.kind == "paper":
            required += ['"torch>=2.2"'] if values["torch"] else []
            task, models = values["task"], (wanted.name, f"{wanted.name}-without")
            words += [f"task:{task}", f"paper:{wanted.name}", "claim:mechanism-helps"]
            words += [f"model:{task}/{model}" for model in models]
        elif wanted.kind == "dataset":
            words += [f"dataset:{task}/{wanted.name}" for task in values["tasks"]]
    values["dependencies"] = ", ".join(required)
    values["keywords"] = fixing.written(words)
    return values


def _suite(family: str) -> catalog.Plugin:
    """Return the suite of a family, which must be installed: its contracts shape the new plugin."""
    plugins = catalog.installed()
    for plugin in plugins:
        if plugin.family == family and not plugin.paper and plugin.having("task"):
            return plugin
    raise unknown("family", family, {p.family for p in plugins if p.family}, hint="(assay new --family makes one)")


def _arena(wanted: Wanted, suite: catalog.Plugin) -> dict[str, Any]:
    """Return what the family's task says of its contract, main metric and schema."""
    found = catalog.Catalog().load(tasks=suite.having("task"))
    task = found.task(wanted.task or suite.having("task")[0])
    matched = re.search(r"build\(([a-z_, ]*)\)", task.contract)
    metric = found.metric(task, task.metrics[0])
    schema = wanted.schema or task.schema
    return {
        "task": task.id,
        "tasks": [t.id for t in found.tasks.values() if t.schema == schema],
        "contract": task.contract,
        "arguments": [a.strip() for a in matched[1].split(",")] if matched and matched[1].strip() else [],
        "metric": metric.id.rpartition("/")[2],
        "better": metric.direction,
        "torch": task.probe is not None,
        "schema": schema,
    }
