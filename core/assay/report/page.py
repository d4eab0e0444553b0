"""Writes the page: one HTML file with its style, its scripts and its data inside, and a policy that admits nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import os
import re
import string
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from assay.errors import AssayError

LIBRARIES = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
SCRIPTS = ("dom", "format", "data", "table", "figure", "charts", "overview", "arena", "paper", "runs", "main")
"""The page's own sources, in the order in which they need each other. They share one scope."""
_PLOT_STYLE = re.compile(r'append\("style"\)\.text\(`(:where\(\.\$\{c\}\).*?)`\)', re.DOTALL)
_PLOT_CLASS = "plot-d6a7b5"


def render(data: Mapping[str, Any], *, live: bool = False) -> str:
    """Return the page for some data. A live page asks its server for newer data."""
    scripts = [_asset(name) for name in LIBRARIES]
    scripts.append(_own_script(live))
    style = _asset("page.css")
    return string.Template(_asset("page.html")).substitute(
        policy=_policy(scripts, [style, _plot_style()], live),
        title=html.escape(str(data["title"])),
        style=f"<style>{style}</style>",
        data=_embedded(data),
        scripts="\n".join(f"<script>{text}</script>" for text in scripts),
    )


def write(path: str | os.PathLike[str], data: Mapping[str, Any]) -> Path:
    """Write the page and return its path. Raises AssayError when it cannot be written."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(data), encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise AssayError(f"cannot write the report {target}: {error.strerror}; name another file by --out") from error
    return target


def as_json(data: Mapping[str, Any]) -> str:
    """Return data as compact JSON; a number that is not finite is an error of the gathering."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _embedded(data: Mapping[str, Any]) -> str:
    """Return JSON that no text inside can end: HTML knows no escapes in a script, JSON knows \\u003c."""
    text = as_json(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(scripts: list[str], styles: list[str], live: bool) -> str:
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(map(_hash, scripts)),
        "style-src": " ".join(map(_hash, styles)),
        "img-src": "data: blob:",
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _asset(name: str) -> str:
    return resources.files("assay.report").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


@functools.cache
def _own_script(live: bool) -> str:
    names = (*SCRIPTS[:-1], "live", SCRIPTS[-1]) if live else SCRIPTS
    parts = "\n".join(_asset(f"{name}.js") for name in names)
    return f'(() => {{\n"use strict";\n{parts}\n}})();'


@functools.cache
def _plot_style() -> str:
    """Return the style sheet that Plot puts into each chart: the policy must admit exactly this."""
    found = _PLOT_STYLE.search(_asset("vendor/plot.umd.min.js"))
    assert found, "this version of Plot styles its charts in another way"
    return found[1].replace("${c}", _PLOT_CLASS).replace("\\n", "\n")
