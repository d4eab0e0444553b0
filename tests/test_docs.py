"""The documentation says what is true: the tutorial runs, the site builds, what is public has a docstring."""

from __future__ import annotations

import inspect
import json
import os
import re
import site
import subprocess
import sys
from pathlib import Path

import assay
import pytest
from assay import render
from assay.commands import check, doctor, new, run, verify

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMANDS = 10
"""That lead from an empty folder to a checked and verified plugin, at most."""


def commands(text: str) -> list[str]:
    return [line[2:] for kind, _, body in BLOCK.findall(text) if kind == "console" for line in body.splitlines()]


@pytest.fixture
def environment(tmp_path):
    """Give the variables of an environment of its own, which sees this one's packages; pip takes nothing from outside."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    (packages,) = (tmp_path / ".venv").glob("lib/python*/site-packages")
    folders = [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    lines = [f"import site; site.addsitedir({path!r})" for path in {*folders, *site.getsitepackages()}]
    (packages / "outer.pth").write_text("\n".join(lines) + "\n")
    scripts = {"pip": "pip", "assay": "assay.cli"}
    for name, module in scripts.items():
        script = tmp_path / ".venv/bin" / name
        script.write_text(f'#!/bin/sh\nexec {tmp_path}/.venv/bin/python -m {module} "$@"\n')
        script.chmod(0o755)
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
    kept = {name: value for name, value in os.environ.items() if name not in ("ASSAY_STORE", "PYTHONPATH")}
    return {**kept, **offline, "PATH": f"{tmp_path}/.venv/bin:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def examples(text: str) -> list[tuple[str, str, str]]:
    """Return (verdict, claim, printed effect) of the verdicts that a page shows."""
    shown = re.findall(r"^```text\n([A-Z]+)  (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = {claim: re.search(r"^  found\s+([^\s,]+)", body, re.MULTILINE) for _, claim, body in shown}
    return [(verdict.lower(), claim, match[1] if (match := found[claim]) else "") for verdict, claim, _ in shown]


def test_the_verdicts_on_the_page_are_those_of_real_papers():
    recorded = [json.loads(path.read_text(encoding="utf-8")) for path in DOCS.parent.glob("plugins/*/*/verdict.json")]
    claims = {claim["id"]: claim for paper in recorded for claim in paper.get("claims", ())}
    shown = examples((DOCS / "verdicts.md").read_text(encoding="utf-8"))
    assert {verdict for verdict, _, _ in shown} == {"holds", "fails", "inconclusive", "untested"}
    for verdict, claim, effect in shown:
        assert claim in claims
        if verdict != "untested":
            assert (claims[claim]["verdict"], render.number(claims[claim]["effect"])) == (verdict, effect)


@pytest.mark.slow
def test_the_tutorial_runs_in_an_empty_folder(tmp_path, environment):
    pytest.importorskip("pip")
    pytest.importorskip("hatchling")
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    for kind, title, body in BLOCK.findall(text):
        if title:
            (tmp_path / title).parent.mkdir(exist_ok=True)
            (tmp_path / title).write_text(body, encoding="utf-8")
        for line in body.splitlines() if kind == "console" else ():
            command = line.removeprefix("$ ")
            if command.startswith("python -m venv"):
                continue  # the fixture made it
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "**holds**" in (tmp_path / "median-pool/README.md").read_text()


def test_a_plugin_takes_at_most_ten_commands():
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    start, _, rest = text.partition("## Compare three papers")
    plugin = rest.partition("## Write a plugin")[2]
    assert 0 < len(commands(start)) + len(commands(plugin)) <= COMMANDS


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_python_on_the_page_compiles(page):
    for kind, title, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            compile(body, f"{page.name} {title}", "exec")


def test_the_claims_of_the_how_to_are_claims():
    (body, *_) = [
        b for kind, _, b in BLOCK.findall((DOCS / "how-to/claims.md").read_text(encoding="utf-8")) if kind == "python"
    ]
    exec(compile(body, "claims.md", "exec"), {})


@pytest.mark.parametrize("module", [check, doctor, new, run, verify], ids=lambda m: m.__name__)
def test_a_command_has_help(module):
    assert module.HELP


@pytest.mark.parametrize("name", assay.__all__)
def test_what_is_public_has_a_docstring(name):
    assert inspect.getdoc(getattr(assay, name))


def test_the_package_is_typed():
    assert (Path(assay.__file__).parent / "py.typed").exists()


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings_handlers")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=DOCS.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {p.stem: p.read_text(encoding="utf-8") for p in (tmp_path / "site").rglob("*.html")}
    assert "exact-invariance" in pages["sets"]
    assert "count_flops" in pages["api"]
    assert "assay_run_cell" in pages["hooks"]
    assert "--until-conclusive" in pages["cli"]
    assert "float32[n,N,D]" in pages["schemas"]
    assert not any("https://fonts" in page for page in pages.values())
