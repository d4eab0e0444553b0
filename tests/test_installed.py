"""What is installed: listing imports nothing, a broken plugin costs one line, removing one removes its rows."""

from __future__ import annotations

import json
import sys

import assay
import pytest
from assay.catalog import Catalog, installed

HEAVY = ("numpy", "scipy", "sqlalchemy", "torch", "pandas", "pluggy", "importlib.metadata", "dataclasses")
WATCHED = """
import sys
from assay.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as stop:
    status = stop.code
print([m for m in sys.modules if m in %r or m.startswith("assay_")], file=sys.stderr)
sys.exit(status)
"""
NO_TORCH = """
import importlib.metadata, sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" or name.startswith("torch."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
original = importlib.metadata.Distribution.from_name.__func__
def from_name(cls, name):
    if name == "torch":
        raise importlib.metadata.PackageNotFoundError(name)
    return original(cls, name)
importlib.metadata.Distribution.from_name = classmethod(from_name)
from assay.cli import main
sys.exit(main(sys.argv[1:]))
"""
NEEDS_TORCH = ("assay-deep", "import torch\n", ["family:toy", "task:toy/line", "paper:deep", "claim:wide"])


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"], ["run", "--help"], ["--version"]])
def test_help_and_list_import_no_plugin_and_no_library(toy, process, arguments):
    toy.write(*NEEDS_TORCH)
    done = process("-c", WATCHED % (HEAVY,), *arguments)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_list_tells_papers_and_tasks(toy, command):
    status, out, _ = command("list", "--family", "toy")
    assert status == 0
    assert [line.split() for line in out.splitlines()][1:] == [
        ["mean", "toy", "2", "About", "assay-mean"],
        [],
        ["tasks:", "toy/line,", "toy/sign"],
    ]
    names = [row["name"] for row in json.loads(command("list", "--family", "toy", "--json")[1])]
    assert names == ["assay-mean", "assay-toy"]


def test_show_tells_entrants_claims_and_what_refutes_them(toy, command):
    status, out, _ = command("show", "mean")
    assert status == 0
    assert "half-mean  (toy/line, ablates mean)" in out
    assert "refuted by squared_error(mean) - squared_error(line) <= 0.5" in out


def test_without_torch_everything_can_be_looked_at(toy, process):
    toy.write(*NEEDS_TORCH, requires=["torch>=2.2"])
    listed, shown, looked = (process("-c", NO_TORCH, *a) for a in (["list"], ["show", "deep"], ["doctor"]))
    assert listed.returncode == 0 and "deep" in listed.stdout
    assert shown.returncode == 0 and "claims: wide" in shown.stdout
    assert "pip install 'torch>=2.2'" in shown.stdout
    assert "torch: not installed" in looked.stdout and looked.returncode == 1
    assert "wrong assay-deep: 1.0, cannot run yet\n      pip install 'torch>=2.2'" in looked.stdout
    assert not any("Traceback" in done.stderr for done in (listed, shown, looked))


def test_without_torch_a_suite_that_needs_none_runs(toy, process):
    done = process("-c", NO_TORCH, "run", "toy/line", "--seeds", "1")
    assert done.returncode == 0, done.stderr


def test_a_requirement_for_another_system_is_not_missing(toy, command):
    toy.write(
        "assay-x", "", ["family:toy", "paper:x"], requires=['nothing; sys_platform == "none"', 'no; extra == "e"']
    )
    assert "assay-x: 1.0" in command("doctor")[1]


def test_a_requirement_that_is_too_old_is_said(toy, command):
    toy.write("assay-x", "", ["family:toy", "paper:x"], requires=["numpy>=99"])
    assert "cannot run yet\n      pip install 'numpy>=99'" in command("doctor")[1]


def test_removing_a_plugin_removes_its_rows_and_nothing_else(toy, command):
    assert assay.run("toy/line", seeds=1).records
    toy.uninstall("assay-mean")
    assert "mean" not in command("list", "--family", "toy")[1]
    models = {r.cell.model for r in assay.run("toy/line", seeds=1).records}
    assert models == {"zero"}
    status, _, err = command("run", "mean")
    assert status == 2 and "unknown task or paper 'mean'" in err


BROKEN = {
    "an import that fails": ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    "an error on import": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "an exit on import": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "a syntax error": ("def broken(:\n", "SyntaxError"),
    "an id that another plugin has": (
        "from assay import Model, hookimpl\n@hookimpl\ndef assay_models():\n"
        "    return [Model('zero', 'toy/line', int)]\n",
        "model 'toy/line / zero' is registered by assay-toy already",
    ),
    "one id twice": (
        "from assay import Model, hookimpl\n@hookimpl\ndef assay_models():\n"
        "    return [Model('two', 'toy/line', int), Model('two', 'toy/line', float)]\n",
        "model 'toy/line / two' is registered by assay-broken already",
    ),
    "a metric named as a cost": (
        "from assay import Metric, hookimpl\n@hookimpl\ndef assay_metrics():\n"
        "    return [Metric('flops', len, (), 'up', 'count')]\n",
        "metric 'toy/flops' is registered by assay already",
    ),
    "a wrong return type": (
        "from assay import hookimpl\n@hookimpl\ndef assay_models():\n    return {'a': 1}\n",
        "assay_models() must return a list of Model, got dict",
    ),
    "a wrong item": (
        "from assay import hookimpl\n@hookimpl\ndef assay_papers():\n    return ['deep']\n",
        "assay_papers() must return a list of Paper, got 'deep'",
    ),
    "a hook that raises": (
        "from assay import hookimpl\n@hookimpl\ndef assay_tasks():\n    raise KeyError('x')\n",
        "KeyError: 'x'",
    ),
    "a hook that does not exist": (
        "from assay import hookimpl\n@hookimpl\ndef assay_modles():\n    return []\n",
        "unknown hook 'assay_modles'",
    ),
    "an argument that a hook does not have": (
        "from assay import hookimpl\n@hookimpl\ndef assay_cell_started(cell, mood):\n    return []\n",
        "Argument(s) {'mood'}",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_costs_one_line_that_names_it_and_a_row_in_doctor(toy, command, what):
    source, reason = BROKEN[what]
    toy.write("assay-broken", source, ["family:toy", "task:toy/line", "paper:broken"])
    assert "broken" in command("list")[1]
    status, out, err = command("run", "toy/line", "--seeds", "1")
    assert status == 0 and "8 cells: 8 run" in out
    (warning,) = [line for line in err.splitlines() if "left out" in line]
    assert warning.startswith("assay: assay-broken is left out: ") and reason in warning
    toy.fresh()
    status, out, _ = command("doctor")
    assert status == 1
    (row,) = [line for line in out.splitlines() if line.startswith("wrong")]
    assert row.startswith("wrong assay-broken: ") and reason in row
    status, _, err = command("show", "broken")
    assert status == 2 and "paper 'broken' cannot be used: assay-broken: " in err


def test_a_broken_suite_is_blamed_for_its_task(toy, command):
    toy.edit("assay_toy/__init__.py", "from assay_toy import line", "from assay_toy import gone, line")
    status, _, err = command("run", "toy/line")
    assert status == 2 and "task 'toy/line' cannot be used: assay-toy: ImportError" in err


def test_metadata_that_is_not_utf8_does_not_stop_the_listing(toy, command):
    toy.write("assay-odd", "", ["family:toy", "paper:odd"])
    next(toy.folder.glob("assay_odd-*/METADATA")).write_bytes(b"Name: assay-odd\nVersion: 1\nSummary: caf\xe9\n\n")
    assert command("list")[0] == 0
    assert "assay-odd" in {p.name for p in installed()}


def test_of_two_copies_on_the_path_the_first_counts(toy, tmp_path, monkeypatch):
    other = type(toy)(tmp_path / "other")
    other.folder.mkdir()
    other.write("assay-mean", "", ["family:other", "paper:mean"], version="9")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other.folder)])
    (plugin,) = [p for p in installed() if p.name == "assay-mean"]
    assert (plugin.version, plugin.family) == ("1.0", "toy")


def test_lifecycle_hooks_see_every_cell_and_wrappers_see_the_record(toy):
    toy.install("assay-watch")
    done = assay.run("toy/line", seeds=2)
    watch = sys.modules["assay_watch"]
    assert watch.started == [cell for cell, _ in watch.finished] == [cell for cell, _ in watch.wrapped]
    stored = {r.digest: r for r in done.records}
    assert {r.digest: r for _, r in watch.finished} == stored and len(stored) == 16
    assert assay.run("toy/line", seeds=2).resumed == 16 and len(watch.started) == 16


def test_a_tracker_that_fails_costs_lines_but_no_cell(toy, capsys):
    toy.write(
        "assay-sour",
        "from assay import hookimpl\n@hookimpl\ndef assay_cell_started(cell):\n    raise OSError('down')\n",
    )
    done = assay.run("toy/line", seeds=1, datasets=["clean"])
    assert len(done.records) == 4 and not done.failed
    assert "assay_cell_started failed" in capsys.readouterr().err


def test_a_wrapper_that_loses_the_record_makes_a_failed_cell(toy):
    toy.write(
        "assay-sour", "from assay import hookimpl\n@hookimpl(wrapper=True)\ndef assay_run_cell(cell):\n    yield\n"
    )
    (record,) = assay.run("toy/line", entrants=["zero"], datasets=["clean"], seeds=1).failed
    assert "assay_run_cell returned None" in record.reason


def test_an_entrant_that_exits_makes_a_failed_cell(toy):
    class Leaves:
        def __init__(self, inputs):
            sys.exit("bye")

    done = assay.run("toy/line", models={"leaves": Leaves}, entrants=["zero"], datasets=["clean"], seeds=1)
    assert [r.reason for r in done.failed] == ["error: SystemExit: bye"] and len(done.records) == 2


def test_loading_a_task_imports_only_the_plugins_that_name_it(toy):
    toy.write("assay-far", "raise RuntimeError\n", ["family:far", "task:far/away"])
    catalog = Catalog().load(tasks=["toy/line"])
    assert not catalog.problems and "mean" in catalog.papers
