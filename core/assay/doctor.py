"""What is installed and healthy, and what to do about what is not. Works without torch."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

import assay
from assay import roofline
from assay.catalog import Catalog, Plugin
from assay.context import THREADS
from assay.errors import AssayError
from assay.executors import cpus, show_size
from assay.health import damage, failures
from assay.leases import held
from assay.spec import Backend
from assay.store import Store
from assay.tables import VERSION
from assay.text import amount

PLATFORM_HINT = "pip install torch (the CPU build is enough)"


class Finding(NamedTuple):
    """One thing looked at: what was found, whether it is well, and what to do."""

    what: str
    found: str
    ok: bool
    do: str = ""


def examine(store: str | None = None) -> list[Finding]:
    """Look at the interpreter, the libraries, every plugin, the backends and the store."""
    findings = [Finding("python", f"{platform.python_version()} at {sys.executable}", True)]
    findings += [_library(name) for name in ("assay", "numpy", "scipy", "sqlalchemy", "torch")]
    findings.append(Finding("plugin interface", f"version {assay.API}", True))
    authors = [name for name in ("jinja2", "psutil") if not _installed(name)]
    found, do = (f"lacks {', '.join(authors)}", "pip install 'assay[authors]'") if authors else ("installed", "")
    findings.append(Finding("assay[authors]", f"{found} (for check, new and READMEs)", True, do))
    catalog = Catalog()
    able = [p for p in catalog.plugins if not missing(p)]
    findings += [
        Finding(p.name, f"{p.version}, cannot run yet", False, missing(p)) for p in catalog.plugins if p not in able
    ]
    catalog.plugins = able
    catalog.load()
    problems = dict(catalog.problems)
    for plugin in able:
        reason = problems.get(plugin.name)
        do = f"pip install --upgrade {plugin.name}, or uninstall it" if reason else ""
        findings.append(Finding(plugin.name, reason or plugin.version, reason is None, do))
    for backend in catalog.backends.values():
        why_not = backend.available()
        findings.append(Finding(f"backend {backend.id}", why_not or f"available{_roofline(backend)}", True))
    return [*findings, *_executors(), *_store(store)]


def rooflines() -> list[Finding]:
    """Measure the roofs of every backend that can be used here, and keep them for the cells to come."""
    if not _installed("torch"):
        raise AssayError(f"a roofline is measured with torch: {PLATFORM_HINT}")
    findings = []
    for backend in Catalog().load(tasks=()).backends.values():
        if why_not := backend.available():
            findings.append(Finding(f"roofline {backend.id}", why_not, True))
            continue
        try:
            found = roofline.measure(backend)
        except Exception as error:  # a plugin's backend
            findings.append(Finding(f"roofline {backend.id}", f"{type(error).__name__}: {error}", False))
            continue
        roofline.keep(backend, found)
        speeds = f"{amount(found.flops_per_second, 'FLOP/s')}, {amount(found.bytes_per_second, 'B/s')}"
        findings.append(Finding(f"roofline {backend.id}", f"{speeds} on {found.device}", True))
    return [*findings, Finding("kept in", str(roofline.path()), True)]


def _roofline(backend: Backend) -> str:
    found = roofline.roof(backend)
    return f", roofline {amount(found.flops_per_second, 'FLOP/s')}" if found else ""


def _executors() -> list[Finding]:
    """Say how cells can be run here, and within which limits."""
    forks, tells = hasattr(os, "fork"), Path("/proc/self/status").exists()
    pool = "forks from a server of its own; limits on time" + (
        " and memory" if tells else "; memory cannot be watched here"
    )
    return [
        Finding("executor pool", pool if forks else "this system cannot fork: inline and dask remain", True),
        _extra("executor dask", "distributed", "dask", "--executor dask"),
        _extra("PostgreSQL", "psycopg", "postgresql", "a store on a server"),
        Finding("cpus", f"{cpus()}: as many workers by default, {THREADS} thread each", True),
        *_memory(),
    ]


def _extra(what: str, library: str, extra: str, use: str) -> Finding:
    version = _installed(library)
    found = f"{library} {version}" if version else f"not installed: needed for {use} only"
    return Finding(what, found, True, "" if version else f"pip install 'assay[{extra}]'")


def _memory() -> list[Finding]:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return []
    share = size // cpus()
    do = "" if share >= 2**30 else "run with fewer --workers"
    return [Finding("memory", f"{show_size(size)}, {show_size(share)} a worker", not do, do)]


def _store(address: str | None) -> list[Finding]:
    """Say whether the store can be opened and is sound, and whether there is room for more."""
    try:
        with Store(address, create=False) as opened:
            findings = _health(opened) if opened.exists else [Finding("store", f"{opened.shown}, not made yet", True)]
            local = opened.dialect == "sqlite"
            folder = Path(opened.address).resolve().parent
    except AssayError as error:
        return [Finding("store", str(error), False)]
    if local:
        there = next(f for f in (folder, *folder.parents) if f.exists())
        free = shutil.disk_usage(there).free
        do = "free some, or name a store elsewhere by --store or $ASSAY_STORE"
        findings.append(
            Finding("disk", f"{show_size(free)} free for the store", free >= 2**28, do if free < 2**28 else "")
        )
    return findings


def _health(store: Store) -> list[Finding]:
    """Say what a store holds, whether it is whole, and who is at its cells."""
    failed, harm, leases = failures(store), damage(store), held(store)
    again = "the same assay run tries the failed cells again" if failed else ""
    found = f"{store.shown}, schema {VERSION}, {len(store)} records, {failed} of them failed"
    rescue = f"make a copy, then: sqlite3 {store.address} .recover | sqlite3 rescued.db" if harm else ""
    void = f", {leases.void} of runs that are gone: the next run takes these over" if leases.void else ""
    return [
        Finding("store", found, True, again),
        Finding("store integrity", "; ".join(harm) or "sound", not harm, rescue),
        Finding("store leases", f"{leases.cells} held (by runs: {leases.runs}){void}", True),
    ]


def missing(plugin: Plugin) -> str:
    """Return how to install what a plugin requires and is not there or too old, empty when all is there."""
    absent = []
    for text in importlib.metadata.requires(plugin.name) or []:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            found = _installed(wanted.name)
            if found is None or not wanted.specifier.contains(found, prereleases=True):
                absent.append(f"'{wanted.name}{wanted.specifier}'" if wanted.specifier else wanted.name)
    return f"pip install {' '.join(absent)}" if absent else ""


def _installed(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _library(name: str) -> Finding:
    version = _installed(name)
    if version is not None:
        return Finding(name, version, True)
    return Finding(
        name, "not installed: needed to run most papers, not to list, compare or export", True, PLATFORM_HINT
    )
