"""Checks of a plugin's folder and metadata, which need nothing but its files."""

from __future__ import annotations

import re
from collections.abc import Iterator

import assay
from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject

BACKENDS = {"hatchling.build", "flit_core.buildapi"}
FOLDER_BYTES = 1_000_000
SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def layout(subject: Subject) -> Iterator[str]:
    """A paper's folder holds five files and nothing else."""
    if not subject.plugin.paper:
        raise NotApplicable("a suite or a tool: its files are its own affair")
    stem = subject.plugin.paper.replace("-", "_")
    wanted = {"pyproject.toml", f"assay_{stem}.py", f"test_{stem}.py", "README.md", "verdict.json"}
    hidden = {"__pycache__"}
    there = {p.name for p in subject.root.iterdir() if not p.name.startswith(".") and p.name not in hidden}
    yield from (f"{name} is missing" for name in sorted(wanted - there))
    yield from (f"{name} does not belong here" for name in sorted(there - wanted))


def names(subject: Subject) -> Iterator[str]:
    """Distribution, module and paper are called alike."""
    plugin = subject.plugin
    if plugin.paper and plugin.name != f"assay-{plugin.paper}":
        yield f"the distribution is called {plugin.name!r}, for paper {plugin.paper!r} it must be assay-{plugin.paper}"
    if plugin.paper and plugin.module != f"assay_{plugin.paper.replace('-', '_')}":
        yield f"the entry point names module {plugin.module!r}, it must be assay_{plugin.paper.replace('-', '_')}"
    if not plugin.name.startswith("assay-"):
        yield f"the distribution is called {plugin.name!r}: let it begin with assay-"


def entry_point(subject: Subject) -> Iterator[str]:
    """One entry point in group `assay`, which names a module of the folder."""
    entries = subject.project.get("entry-points", {}).get("assay", {})
    if len(entries) != 1:
        yield f"[project.entry-points.assay] has {len(entries)} entries, it must have one"
    if not subject.sources:
        yield f"the entry point names module {subject.plugin.module!r}, which is not in the folder"


def licence(subject: Subject) -> Iterator[str]:
    """An SPDX expression."""
    found = subject.project.get("license")
    if not isinstance(found, str) or not SPDX.fullmatch(found):
        yield f"license is {found!r}: name it by its SPDX id"


def readme_declared(subject: Subject) -> Iterator[str]:
    """The README travels with the distribution."""
    if subject.project.get("readme") != "README.md":
        yield 'pyproject.toml has no readme = "README.md"'


def python_range(subject: Subject) -> Iterator[str]:
    """The core's range of Python versions."""
    found = subject.project.get("requires-python")
    if found != ">=3.10":
        yield f"requires-python is {found!r}, the core's is '>=3.10'"


def build_backend(subject: Subject) -> Iterator[str]:
    """Hatchling or flit."""
    found = subject.pyproject.get("build-system", {}).get("build-backend")
    if found not in BACKENDS:
        yield f"build-backend is {found!r}: take hatchling or flit-core, editable installs of others slow every start"


def wheel_contents(subject: Subject) -> Iterator[str]:
    """The wheel of a paper holds the module, and its verdict as metadata."""
    if not subject.plugin.paper or "hatch" not in str(subject.pyproject.get("build-system")):
        raise NotApplicable("no paper built by hatchling")
    wheel = subject.pyproject.get("tool", {}).get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    if wheel.get("only-include") != [f"{subject.plugin.module}.py"]:
        yield f'[tool.hatch.build.targets.wheel] must have only-include = ["{subject.plugin.module}.py"]'
    if wheel.get("extra-metadata", {}).get("verdict.json") != "verdict.json":
        yield "the wheel leaves out verdict.json: [tool.hatch.build.targets.wheel.extra-metadata]"


def title(subject: Subject) -> Iterator[str]:
    """The description is the title, on one line."""
    if not subject.plugin.title or "\n" in subject.plugin.title or subject.plugin.title.endswith("."):
        yield f"description is {subject.plugin.title!r}: give the title on one line, without a full stop"


def family_keyword(subject: Subject) -> Iterator[str]:
    """One family for a paper or a suite."""
    found = subject.plugin.having("family")
    if len(found) != 1 and (subject.plugin.paper or subject.plugin.having("task")):
        yield f"keywords name {len(found)} families, they must name one (family:ID)"


def api_version(subject: Subject) -> Iterator[str]:
    """The plugin says which version of the core's interface it was written for."""
    found = subject.plugin.having("api")
    if found != (str(assay.API),):
        yield f"keywords say api {', '.join(found) or 'nothing'}; this assay offers api:{assay.API}"


def folder_size(subject: Subject) -> Iterator[str]:
    """No data in a paper's folder."""
    if not subject.plugin.paper:
        raise NotApplicable("only papers are bounded")
    size = sum(p.stat().st_size for p in subject.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    if size > FOLDER_BYTES:
        yield f"the folder holds {size / 1e6:.1f} MB, {FOLDER_BYTES / 1e6:.0f} MB are allowed"


def verdict_recorded(subject: Subject) -> Iterator[str]:
    """A paper's claims were put to the test."""
    if not subject.plugin.paper:
        raise NotApplicable("no paper")
    if not subject.recorded.get("claims"):
        yield "verdict.json records nothing"


def verdict_claims(subject: Subject) -> Iterator[str]:
    """The record speaks of the claims that the metadata names."""
    from assay.recorded import outcomes

    found = list(outcomes(subject.recorded))
    if not found:
        raise NotApplicable("nothing was recorded")
    if sorted(found) != sorted(subject.plugin.having("claim")):
        yield f"verdict.json speaks of {', '.join(found)}; the keywords of {', '.join(subject.plugin.having('claim'))}"


_TOML = "correct pyproject.toml"
_KEYWORDS = "assay check --fix writes the keywords anew from the code"
CHECKS = (
    Check(
        "layout",
        "files",
        "five files tell all of a paper, in the same places in every plugin",
        "add or move files",
        layout,
    ),
    Check("names", "files", "what a paper is called says what to install", "rename the project or the module", names),
    Check("entry-point", "files", "assay finds a plugin by its one entry point", _TOML, entry_point),
    Check("licence", "files", "nobody may use code without a licence", 'license = "MIT", for one', licence),
    Check(
        "readme-declared",
        "files",
        "assay docs prints the README from the metadata",
        'readme = "README.md"',
        readme_declared,
    ),
    Check(
        "python-range",
        "files",
        "a plugin must not narrow where the core runs",
        'requires-python = ">=3.10"',
        python_range,
    ),
    Check(
        "build-backend",
        "files",
        "setuptools' editable hooks cost 0.24 s at every start",
        "take hatchling",
        build_backend,
    ),
    Check("wheel-contents", "files", "listing reads verdicts from the metadata of the wheel", _TOML, wheel_contents),
    Check("title", "files", "assay list shows the description as title", _TOML, title),
    Check("family-keyword", "files", "listing reads the family from keywords", _KEYWORDS, family_keyword),
    Check("api-version", "files", "a plugin for another core must say so before it breaks", _KEYWORDS, api_version),
    Check("folder-size", "files", "data belongs into a data distribution, not into each paper", "move it", folder_size),
    Check(
        "verdict-recorded",
        "files",
        "a paper without a verdict tells a user nothing",
        "assay verify PAPER --record",
        verdict_recorded,
    ),
    Check(
        "verdict-claims", "files", "a verdict on other claims misleads", "assay verify PAPER --record", verdict_claims
    ),
)
