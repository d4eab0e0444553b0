"""Models and data of one's own, from Python and from the command line."""

from __future__ import annotations

import assay
import numpy as np
import pandas as pd
import pytest
from assay import Model

NET = """
from helper import SCALE

class Net:
    def __init__(self, inputs, power=1, widths=(1,)):
        self.power, self.widths = power, widths
    def fit(self, x, y): ...
    def predict(self, x):
        return SCALE * x[:, 0] ** self.power + sum(self.widths)
"""


@pytest.fixture
def net(toy):
    """A file with a model, and a helper beside it."""
    for name, source in (("net.py", NET), ("helper.py", "SCALE = 2.0\n")):
        with open(name, "w") as stream:
            stream.write(source)
    return toy


class Mine:
    def __init__(self, inputs):
        self.inputs = inputs

    def fit(self, x, y): ...

    def predict(self, x):
        return np.full(len(x), float(self.inputs))


def test_a_class_enters_beside_the_installed_ones(toy):
    done = assay.run("toy/line", models={"mine": Mine}, seeds=2)
    assert {r.cell.model for r in done.records} == {"mine", "zero", "mean", "half-mean", "line"}
    assert assay.run("toy/line", models={"mine": Mine}, seeds=2).resumed == len(done) == 20


def test_a_function_or_a_model_enters_too(toy):
    models = {"a": lambda inputs: Mine(inputs), "b": Model("x", "toy/other", Mine, {})}
    done = assay.run("toy/line", models=models, entrants=["zero"], seeds=1)
    assert {r.cell.model for r in done.records} == {"a", "b", "zero"} and not done.failed


def test_a_file_enters_from_the_command_line_and_a_change_of_its_helper_is_seen(net, command):
    arguments = [
        "run",
        "toy/line",
        "--model",
        "net.py:Net",
        "--entrants",
        "zero",
        "--datasets",
        "clean",
        "--seeds",
        "2",
    ]
    assert "4 cells: 4 run, 0 resumed, 0 failed" in command(*arguments)[1]
    net.fresh()
    assert "4 cells: 0 run, 4 resumed, 0 failed" in command(*arguments)[1]
    with open("helper.py", "w") as stream:
        stream.write("SCALE = 3.0\n")
    net.fresh()
    assert "4 cells: 2 run, 2 resumed, 0 failed" in command(*arguments)[1]


@pytest.mark.parametrize(("old", "new"), [("SCALE = 2.0", "SCALE = 3.0"), ("return x", "return -x")])
def test_code_that_was_edited_after_its_import_is_not_run_under_its_new_address(net, old, new):
    with open("helper.py", "a") as stream:
        stream.write("def same(x):\n    return x\nOTHER = same(SCALE)\n")
    options = {"models": ["net.py:Net"], "entrants": ["Net"], "datasets": ["clean"], "seeds": 1}
    assay.run("toy/line", **options)
    with open("helper.py") as stream:
        source = stream.read()
    with open("helper.py", "w") as stream:
        stream.write(source.replace(old, new))
    with pytest.raises(assay.AssayError, match=r"helper.py was changed after it was imported"):
        assay.run("toy/line", **options)
    net.fresh()
    assert len(assay.run("toy/line", **options).records) == 1


def test_a_new_comment_or_docstring_in_loaded_code_is_no_change(net):
    options = {"models": ["net.py:Net"], "entrants": ["Net"], "datasets": ["clean"], "seeds": 1}
    assay.run("toy/line", **options)
    with open("helper.py", "w") as stream:
        stream.write('"""Two."""\nSCALE = 2.0  # as before\n')
    assert assay.run("toy/line", **options).resumed == 1


def test_two_files_of_one_name_are_two_models(net, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "net.py").write_text(NET.replace("from helper import SCALE", "SCALE = 7.0"))
    models = ["a=net.py:Net", f"b={tmp_path / 'b' / 'net.py'}:Net"]
    done = assay.run("toy/line", models=models, entrants=["zero"], datasets=["clean"], seeds=1)
    errors = {r.cell.model: r.metrics["squared_error"] for r in done.records}
    assert not done.failed and errors["a"] != errors["b"]
    (tmp_path / "b" / "net.py").write_text(NET.replace("from helper import SCALE", "SCALE = 8.0"))
    again = assay.run("toy/line", models=models, entrants=["zero"], datasets=["clean"], seeds=1)
    assert again.resumed == 2


def test_lists_of_values_and_values_that_are_lists_come_from_the_command_line(net, command):
    base = ["run", "toy/line", "--model", "net.py:Net", "--entrants", "none", "--datasets", "clean", "--seeds", "1"]
    base = [a if a != "none" else "Net" for a in base]
    assert "2 cells: 2 run, 0 resumed, 0 failed" in command(*base, "--set", "power=1,2")[1]
    assert "2 cells: 2 run, 0 resumed, 0 failed" in command(*base, "--set", "widths=[1,2],[3]")[1]
    assert "2 cells: 0 run, 2 resumed, 0 failed" in command(*base, "--set", "widths=[1,2],[3]")[1]
    found = {
        r.cell.params
        for r in assay.run(
            "toy/line",
            models=["net.py:Net"],
            entrants=["Net"],
            seeds=1,
            datasets=["clean"],
            params={"widths": [[1, 2], [3]]},
        ).records
    }
    assert found == {(("widths", (1, 2)),), (("widths", (3,)),)}


def save(kind: str, x: np.ndarray, y: np.ndarray) -> str:
    if kind == "npz":
        np.savez("mine.npz", x=x, y=y)
    else:
        frame = pd.DataFrame({**{f"x.{i}": x[:, i] for i in range(x.shape[1])}, "y": y})
        frame.to_csv("mine.csv", index=False) if kind == "csv" else frame.to_parquet("mine.parquet")
    return f"mine.{kind}"


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_own_data_bring_every_entrant_with_them(toy, command, kind):
    rng = np.random.default_rng(0)
    path = save(kind, rng.normal(size=(8, 3)), rng.normal(size=8))
    done = assay.run("toy/line", data={"mine": path}, seeds=2)
    assert {r.cell.model for r in done.records} == {"zero", "mean", "half-mean", "line"} and not done.failed
    assert {r.cell.dataset for r in done.records} == {"toy/mine"}
    status, out, _ = command("run", "toy/line", "--data", f"mine={path}", "--seeds", "2")
    assert status == 0 and "8 cells: 0 run, 8 resumed" in out


def test_the_kinds_of_file_give_the_same_numbers(toy):
    x, y = np.random.default_rng(0).normal(size=(8, 2)), np.random.default_rng(1).normal(size=8)
    found = []
    for kind in ("npz", "csv", "parquet"):
        done = assay.run("toy/line", data={"mine": save(kind, x, y)}, entrants=["line"], seeds=1, store=f"{kind}.db")
        found.append(done.records[0].metrics)
    assert found[0] == pytest.approx(found[1], rel=1e-12) and found[0] == found[2]


def test_changed_data_run_again_and_moved_data_do_not(toy):
    x, y = np.ones((4, 1)), np.arange(4.0)
    np.savez("a.npz", x=x, y=y)
    assert assay.run("toy/line", data={"mine": "a.npz"}, seeds=1).resumed == 0
    np.savez("b.npz", x=x, y=y)
    assert assay.run("toy/line", data={"mine": "b.npz"}, seeds=1).resumed == 4
    np.savez("a.npz", x=x, y=y + 1)
    assert assay.run("toy/line", data={"mine": "a.npz"}, seeds=1).resumed == 0


def test_own_data_join_installed_data_that_are_named(toy):
    np.savez("a.npz", x=np.ones((4, 1)), y=np.arange(4.0))
    done = assay.run("toy/line", data={"mine": "a.npz"}, datasets=["clean"], seeds=1)
    assert {r.cell.dataset for r in done.records} == {"toy/mine", "toy/clean"}


def test_own_model_and_own_data_meet(toy):
    np.savez("a.npz", x=np.ones((4, 2)), y=np.arange(4.0))
    done = assay.run("toy/line", models={"mine": Mine}, data={"d": "a.npz"}, seeds=1)
    (mine,) = [r for r in done.records if r.cell.model == "mine"]
    assert mine.metrics["squared_error"] == np.mean((np.arange(4) - 2.0) ** 2)
