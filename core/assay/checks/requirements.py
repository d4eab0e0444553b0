"""Checks that a plugin requires what it imports, in honest ranges."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject

COMMON = frozenset({"assay", "networkx", "numpy", "pandas", "scikit-learn", "scipy", "sympy", "torch"})
"""Libraries that hundreds of papers can share one environment with."""
NETWORK = frozenset({"ftplib", "http", "imaplib", "poplib", "smtplib", "socket", "socketserver", "urllib", "xmlrpc"})


def requirements(subject: Subject) -> dict[str, str]:
    """Return the declared requirements by normalised name."""
    found: dict[str, str] = {}
    for text in subject.project.get("dependencies", ()):
        matched = re.match(r"\s*([A-Za-z0-9._-]+)", text)
        if matched:
            found[canonicalize_name(matched[1])] = text
    return found


def core_required(subject: Subject) -> Iterator[str]:
    """The core is a requirement, from some version on."""
    if ">=" not in requirements(subject).get("assay", ""):
        yield "dependencies do not name assay with the least version that will do: assay>=0.1"


def bounded(subject: Subject) -> Iterator[str]:
    """Honest ranges: a lower bound, no pin, no address."""
    for name, text in requirements(subject).items():
        if "@" in text or "==" in text:
            yield f"{text!r} pins {name}: others could not install it beside this plugin"
        elif ">=" not in text:
            yield f"{text!r} has no lower bound"


def imported(subject: Subject) -> dict[str, str]:
    """Return the distributions that the sources import, by where; the standard library and the plugin left out."""
    own = subject.plugin.module.partition(".")[0]
    found: dict[str, str] = {}
    for place, node in subject.nodes(ast.Import, ast.ImportFrom):
        for top in _tops(node):
            if top != own and top not in sys.stdlib_module_names:
                found.setdefault(_distribution(top), place)
    return found


def _tops(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Return the top-level modules that a statement imports, none for a relative one."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return set() if node.level else {(node.module or "").partition(".")[0]}


def undeclared(subject: Subject) -> Iterator[str]:
    """What is imported is required."""
    declared = requirements(subject)
    for name, place in imported(subject).items():
        if name not in declared:
            yield f"{place} imports {name}, which is not in dependencies"


def unused(subject: Subject) -> Iterator[str]:
    """What is required is imported."""
    family = subject.plugin.family
    suites = {canonicalize_name(p.name) for p in subject.catalog.plugins if p.family == family and not p.paper}
    found = {*imported(subject), *suites}  # a paper needs its suite's tasks though it imports nothing of it
    for name in requirements(subject):
        if name not in found:
            yield f"dependencies name {name}, which nothing imports"


def allowed(subject: Subject) -> Iterator[str]:
    """A paper imports the standard library but its network, the core, its suite, data, and the common libraries."""
    if not subject.plugin.paper:
        raise NotApplicable("no paper")
    own = subject.plugin.module.partition(".")[0]
    family = subject.plugin.family
    suites = {canonicalize_name(p.name) for p in subject.catalog.plugins if p.family == family and not p.paper}
    papers = {canonicalize_name(p.name) for p in subject.catalog.plugins if p.paper}  # `paper-imports` speaks of those
    for name, place in imported(subject).items():
        if name not in {*COMMON, *suites, *papers} and not name.startswith("assay-data-"):
            yield f"{place} imports {name}: a paper may import its suite, {', '.join(sorted(COMMON))}"
    for place, node in subject.nodes(ast.Import, ast.ImportFrom):
        for top in _tops(node) & NETWORK - {own}:
            yield f"{place} imports {top}: a paper does not use the network"


@functools.cache
def distributions() -> dict[str, list[str]]:
    """Return the installed distributions by the top-level modules that they bring; read once, for all plugins."""
    return dict(importlib.metadata.packages_distributions())


def _distribution(module: str) -> str:
    """Return the distribution that a top-level module comes from; its own name, when it is not installed."""
    known = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
    if module.startswith("assay"):
        return canonicalize_name(module)
    return known.get(module) or canonicalize_name(next(iter(distributions().get(module, [module]))))


_TOML = "correct dependencies in pyproject.toml"
CHECKS = (
    Check(
        "core-required",
        "files",
        "a plugin cannot run without the core",
        'dependencies = ["assay>=0.1", ...]',
        core_required,
    ),
    Check(
        "bounded",
        "files",
        "honest ranges let hundreds of plugins live in one environment",
        "give name>=VERSION",
        bounded,
    ),
    Check(
        "allowed-imports",
        "files",
        "hundreds of papers share one environment, offline",
        "write it with these, or waive it and say why no less will do",
        allowed,
    ),
    Check("undeclared", "files", "a fresh environment has only what is declared", "add it to dependencies", undeclared),
    Check("unused", "files", "a requirement that nothing uses costs every user its size", "remove it", unused),
)
