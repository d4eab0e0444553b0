"""mkdocs hooks: the pages that are generated from what is installed, and the navigation."""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import assay
from assay import catalog, cli, hooks
from assay.checks import runner
from assay.checks.subject import folder_of
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
WRITTEN = [
    ("Home", "index.md"),
    ("Tutorial", "tutorial.md"),
    ("Concepts", "concepts.md"),
    ("Verdicts", "verdicts.md"),
    ("Running", "running.md"),
    ("Tracking over commits", "tracking.md"),
    ("The report", "report.md"),
    ("Backends", "backends.md"),
    ("How to write a claim", "how-to/claims.md"),
    ("How to write a suite", "how-to/suites.md"),
    ("Continuous integration", "how-to/ci.md"),
    ("Versions", "how-to/versions.md"),
]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that are there into the navigation, then those that no list names, then the generated ones."""
    named = {name for _, name in WRITTEN}
    more = sorted(str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md") if str(p.relative_to(DOCS)) not in named)
    pages: dict[str, str] = dict(generated())
    config.nav = [
        *({title: name} for title, name in WRITTEN if (DOCS / name).is_file()),
        *more,
        {"Families": [name for name in pages if name.startswith("families/")]},
        {"Reference": [name for name in pages if name.startswith("reference/")]},
    ]
    config.extra["generated"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, text in config.extra["generated"].items():
        files.append(File.generated(config, name, content=text))
    return files


def generated() -> Iterator[tuple[str, str]]:
    """Yield path and text of every generated page."""
    yield from _families()
    yield "reference/api.md", _api()
    yield "reference/hooks.md", _hooks()
    yield "reference/cli.md", _commands()
    yield "reference/checks.md", _checks()
    yield "reference/schemas.md", _schemas()


def _readme(plugin: catalog.Plugin) -> str:
    """Return a plugin's README: from its folder, else from its metadata."""
    folder = folder_of(plugin)
    if folder and (folder / "README.md").is_file():
        return (folder / "README.md").read_text(encoding="utf-8")
    return (importlib.metadata.distribution(plugin.name).read_text("METADATA") or "").partition("\n\n")[2]


def _families() -> Iterator[tuple[str, str]]:
    """Yield a page a family: its suite's README, followed by those of its papers."""
    plugins = catalog.installed()
    for suite in (p for p in plugins if p.family and not p.paper and p.having("task")):
        papers = [p for p in plugins if p.paper and p.family == suite.family]
        parts = [_readme(suite), *(_lowered(_readme(paper)) for paper in papers)]
        yield f"families/{suite.family}.md", "\n\n".join(parts)


def _lowered(text: str) -> str:
    """Return Markdown with its headings one level lower."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines())


def _api() -> str:
    """Return the page that mkdocstrings fills in, a name at its home in the core."""
    parts = [f"# Python interface\n\nassay {assay.__version__}, plugin interface {assay.API}."]
    parts += [f"::: {assay._HOME[name]}.{name}" for name in assay.__all__]
    return "\n\n".join(parts)


def _hooks() -> str:
    parts = ["# Hooks\n\nA plugin implements any of these with `@assay.hookimpl`; its entry point is in group `assay`."]
    parts += [f"::: assay.hooks.{name}" for name in vars(hooks) if name.startswith("assay_")]
    return "\n\n".join(parts)


def _commands() -> str:
    parser = cli._parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    parts = [f"# Command line\n\n```text\n{parser.format_help()}```"]
    parts += [f"## assay {name}\n\n```text\n{command.format_help()}```" for name, command in commands.choices.items()]
    return "\n\n".join(parts)


def _checks() -> str:
    rows = [
        f"| `{c.id}` | {(c.examine.__doc__ or '').splitlines()[0]} | {c.reason} | {c.fix} |" for c in runner.checks()
    ]
    head = "# Checks\n\nWhat `assay check` looks at.\n\n| id | rule | why | what to do |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def _schemas() -> str:
    """Return the schemas of data that the installed suites take."""
    found = catalog.Catalog().load()
    parts = ["# Schemas\n\nThe forms in which users bring their own data, by `--data NAME=PATH` (npz, parquet, csv)."]
    for schema in found.schemas.values():
        tasks = ", ".join(f"`{t.id}`" for t in found.tasks.values() if t.schema == schema.id)
        fields = "\n".join(f"- `{name}`: `{form}`" for name, form in schema.fields.items())
        parts.append(f"## `{schema.id}`\n\nTaken by {tasks}.\n\n{fields}")
    return "\n\n".join(parts)
