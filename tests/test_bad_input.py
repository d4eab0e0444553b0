"""What is wrong with a request is said before anything runs: exit status 2, one line, nothing lost."""

from __future__ import annotations

import os
import sqlite3
import sys

import assay
import numpy as np
import pytest
from assay import AssayError

REQUESTS = {
    "an unknown task": (["run", "toy/lin"], "unknown task or paper 'toy/lin'; did you mean 'toy/line'"),
    "an unknown paper": (["verify", "meen"], "unknown paper 'meen'; did you mean 'mean'?"),
    "an unknown paper to show": (["show", "men"], "unknown paper 'men'; did you mean 'mean'?"),
    "an unknown entrant": (["run", "toy/line", "--entrants", "liine"], "unknown model 'liine'; did you mean 'line'"),
    "an unknown data set": (
        ["run", "toy/line", "--datasets", "noise"],
        "unknown data set 'noise'; did you mean 'noisy'",
    ),
    "a data set of another schema": (["run", "toy/line", "--datasets", "signs"], "toy/line takes 'toy-pairs'"),
    "an unknown backend": (["run", "toy/line", "--backend", "cuba"], "(pip install assay-backend-cuba?)"),
    "a backend that is not here": (
        ["run", "toy/line", "--backend", "absent"],
        "'absent' cannot be used here: no such device",
    ),
    "an unknown scale": (["run", "toy/line", "--scale", "smal"], "unknown scale 'smal'; did you mean 'small'"),
    "a scale without budget": (
        ["run", "toy/line", "--scale", "full"],
        "has no budget for scale 'full': it has smoke, small",
    ),
    "no seed": (["run", "toy/line", "--seeds", "0"], "seeds '0': give at least one seed"),
    "a negative seed": (["run", "toy/line", "--seeds", "0,-1"], "none negative"),
    "a seed twice": (["run", "toy/line", "--seeds", "1,1"], "none twice"),
    "seeds in words": (
        ["run", "toy/line", "--seeds", "few"],
        "give a count (5), a list (0,3,7) or a range (1000:1005)",
    ),
    "no seed to verify with": (["verify", "mean", "--seeds", "0"], "give at least one seed"),
    "an unknown parameter": (["run", "toy/line", "--entrants", "mean", "--set", "shrinc=1"], "did you mean 'shrink'"),
    "a value that a knob does not take": (
        ["run", "toy/line", "--entrants", "mean", "--set", "shrink=3"],
        "model mean: shrink takes 0.0, 0.5, 1.0, not 3",
    ),
    "a parameter without a value": (["run", "toy/line", "--set", "shrink"], "--set 'shrink': give NAME=VALUE"),
    "a value that is an object": (
        ["run", "toy/line", "--entrants", "mean", "--set", 'shrink={"a":1}'],
        "shrink takes",
    ),
    "entrants that enter none of the data": (
        ["run", "toy/line", "--entrants", "picky", "--datasets", "noisy"],
        "nothing to run",
    ),
    "an unknown task to compare": (["compare", "toy/lines"], "has no record of task 'toy/lines'"),
    "a model without a class": (["run", "toy/line", "--model", "net.py"], "give FILE.py:CLASS"),
    "a model file that is not there": (["run", "toy/line", "--model", "net.py:Net"], "there is no file net.py"),
    "a model for no task": (["run", "mean", "--model", "net.py:Net"], "enter one task: name it"),
    "a model for a misspelt task": (
        ["run", "toy/lin", "--model", "net.py:Net"],
        "unknown task 'toy/lin'; did you mean",
    ),
    "data without a path": (["run", "toy/line", "--data", "mine"], "--data 'mine': give NAME=VALUE"),
    "data that are not there": (["run", "toy/line", "--data", "mine=a.npz"], "a.npz: there is no such file"),
    "data under an installed name": (["run", "toy/line", "--data", "noisy=a.npz"], "'noisy' is an installed data set"),
    "data under a name with a slash": (["run", "toy/line", "--data", "a/b=a.npz"], "name it with letters"),
    "data for a task without schema": (["run", "toy/sign", "--data", "mine=a.npz"], "registers no schema 'toy-signs'"),
}


@pytest.fixture
def arena(toy):
    """The toy plugins with one record in the store, so that losing it would show."""
    toy.install("assay-backend-twin")
    toy.write(
        "assay-picky",
        "from assay import Model, hookimpl\nfrom assay_toy.line import Zero\n@hookimpl\ndef assay_models():\n"
        "    return [Model('picky', 'toy/line', Zero, datasets=('clean',))]\n",
        ["family:toy", "task:toy/line"],
    )
    assay.run("toy/line", entrants=["zero"], datasets=["clean"], seeds=1)
    return toy


@pytest.mark.parametrize("what", REQUESTS)
def test_a_bad_request_is_refused_in_words(arena, command, what):
    arguments, expected = REQUESTS[what]
    status, out, err = command(*arguments)
    assert (status, out) == (2, "") and err.startswith("assay: ") and expected in err
    assert len(err.splitlines()) == 1
    assert len(assay.records()) == 1


@pytest.mark.parametrize("arguments", [[], ["lst"], ["run"], ["verify", "mean", "--seeds", "many"]])
def test_bad_usage_exits_with_2(toy, command, arguments):
    status, _, err = command(*arguments)
    assert status == 2 and "usage: assay" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "far"], "paper 'far' is not installed: assay install far"),
        (["show", "fa"], "unknown paper 'fa'; did you mean 'far'"),
        (["run", "away/task"], "task 'away/task' is not installed: assay install --task away/task"),
    ],
)
def test_what_is_known_and_not_installed_says_how_to_install_it(toy, command, monkeypatch, arguments, said):
    monkeypatch.setattr("assay.index.known", lambda: [{"paper": "far", "tasks": ["away/task"]}])
    status, _, err = command(*arguments)
    assert status == 2 and said in err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["lst"], "list"),
        (["run", "toy/line", "--sede", "3"], "--seeds"),
        (["run", "toy/line", "--scael", "x"], "--scale"),
    ],
)
def test_a_mistyped_command_or_option_is_told_what_it_is_nearest_to(toy, command, arguments, meant):
    status, _, err = command(*arguments)
    assert status == 2 and f"did you mean {meant!r}?" in err


def test_debug_shows_the_traceback(toy):
    from assay.cli import main

    with pytest.raises(AssayError):
        main(["run", "toy/lin", "--debug"])


def test_one_pattern_need_not_match_in_every_task(toy):
    done = assay.run("toy/*", entrants=["line", "always"], datasets=["clean", "signs"], seeds=1)
    assert {(r.cell.model, r.cell.dataset) for r in done.records} == {("line", "toy/clean"), ("always", "toy/signs")}


BAD_STORES = {
    "below a file": "file/records.db",
    "a folder": "folder",
    "not a database": "file",
    "an unknown driver": "nonsense://host/x",
    "an unknown place": "/proc/none/records.db",
}


@pytest.mark.parametrize("what", BAD_STORES)
def test_a_store_that_cannot_be_used_stops_before_anything_runs(toy, command, what):
    toy.install("assay-watch")
    (toy.folder.parent / "work" / "file").write_text("some text that is no database, but long enough for a header" * 20)
    (toy.folder.parent / "work" / "folder").mkdir()
    status, _, err = command("run", "toy/line", "--store", BAD_STORES[what])
    assert status == 2 and len(err.splitlines()) == 1 and BAD_STORES[what] in err
    assert not sys.modules["assay_watch"].started


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_is_refused(toy, command):
    assay.run("toy/line", seeds=1)
    os.chmod(".assay/records.db", 0o400)
    os.chmod(".assay", 0o500)
    try:
        status, _, err = command("run", "toy/line", "--seeds", "2")
    finally:
        os.chmod(".assay", 0o700)
    assert status == 2 and "cannot" in err


def test_a_store_of_a_newer_schema_is_refused_and_kept_as_it_is(toy, command):
    assay.run("toy/line", seeds=1)
    with sqlite3.connect(".assay/records.db") as connection:
        connection.execute("UPDATE assay_schema SET version = 99")
    for arguments in (["run", "toy/line"], ["compare", "toy/line"], ["verify", "mean"]):
        status, _, err = command(*arguments)
        assert status == 2 and "has schema 99" in err and "upgrade assay" in err
    with sqlite3.connect(".assay/records.db") as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (8,)


X, Y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
BAD_DATA = {
    "a missing field": ({"x": X}, "field 'y' is missing; found x"),
    "too few dimensions": ({"x": Y, "y": Y}, "field 'x' should be float64[n,D], got float64[6]: 2 dimensions expected"),
    "sizes that differ": ({"x": X, "y": Y[:5]}, "field 'y' should be float64[n] with n = 6, got float64[5]"),
    "text": ({"x": X, "y": np.array(list("abcdef"))}, "field 'y' should be float64[n], got <U1[6]: numbers expected"),
    "complex numbers": ({"x": X, "y": Y * 1j}, "got complex128[6]: numbers expected"),
    "NaN": ({"x": X, "y": np.where(Y == 3, np.nan, Y)}, "field 'y' holds nan at index (3,)"),
    "infinity": ({"x": np.where(X == 5, np.inf, X), "y": Y}, "field 'x' holds inf at index (2, 1)"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "field 'x' has no samples"),
    "objects": ({"x": X, "y": np.array([None] * 6)}, "cannot be read: Object arrays cannot be loaded"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_own_data_that_do_not_fit_are_refused_with_the_field(toy, command, what):
    arrays, expected = BAD_DATA[what]
    np.savez("mine.npz", **arrays)
    status, out, err = command("run", "toy/line", "--data", "mine=mine.npz")
    assert (status, out) == (2, "") and expected in err and "mine.npz" in err
    assert not os.path.exists(".assay/records.db")


FILES = {
    "mine.npz": (b"PK\x03\x04 and then nothing", "cannot be read"),
    "mine.csv": (b"", "cannot be read: No columns"),
    "mine.parquet": (b"PAR1 and no more", "cannot be read"),
    "mine.txt": (b"1 2 3", "own data is read from .npz, .parquet or .csv, not '.txt'"),
    "other.csv": (b"x.0,x.1,z\n1,2,3\n", "field 'y' is missing; found x"),
    "gap.csv": (b"x.0,x.2,y\n1,2,3\n", "field 'x' holds nan at index (0, 1)"),
    "words.csv": (b"x.0,x.1,y\n1,two,3\n", "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_refused(toy, command, name):
    content, expected = FILES[name]
    with open(name, "wb") as stream:
        stream.write(content)
    status, _, err = command("run", "toy/line", "--data", f"mine={name}")
    assert status == 2 and name in err and expected in err


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        ("int64[n]", [0.5, 1.0], "values that int64 cannot hold"),
        ("uint8[n]", [1, 300], "values that uint8 cannot hold"),
        ("bool[n]", [0, 2], "values that bool cannot hold"),
        ("float32[n]", [1.0, 1e300], "values that float32 cannot hold"),
        ("int64[2]", [1, 2, 3], "with 2 = 2, got int64[3]"),
    ],
)
def test_values_that_a_field_cannot_hold_are_refused(tmp_path, form, values, expected):
    from assay.own import read

    np.savez(tmp_path / "a.npz", v=np.array(values))
    with pytest.raises(AssayError) as caught:
        read(str(tmp_path / "a.npz"), {"v": form})
    assert expected in str(caught.value)


def test_data_that_the_suite_cannot_split_are_refused(toy, command):
    toy.edit("assay_toy/line.py", "order = rng.permutation(len(arrays", "order = 1 / 0 * rng.permutation(len(arrays")
    np.savez("mine.npz", x=X, y=Y)
    status, _, err = command("run", "toy/line", "--data", "mine=mine.npz")
    assert status == 2 and "cannot split these data: ZeroDivisionError" in err


MODELS = {
    "a syntax error": ("class Net(:\n", "cannot be imported: SyntaxError"),
    "an import that fails": ("import nothing_at_all\n", "cannot be imported: ModuleNotFoundError: No module named"),
    "an exit": ("import sys; sys.exit(0)\n", "cannot be imported: SystemExit"),
    "another class": ("class Nets: ...\n", "unknown class in net.py 'Net'; did you mean 'Nets'?"),
    "no class": ("Net = 3\n", "unknown class in net.py 'Net'"),
}


@pytest.mark.parametrize("what", MODELS)
def test_a_model_file_that_cannot_be_used_is_refused(toy, command, what):
    source, expected = MODELS[what]
    with open("net.py", "w") as stream:
        stream.write(source)
    status, _, err = command("run", "toy/line", "--model", "net.py:Net")
    assert status == 2 and expected in err and len(err.splitlines()) == 1


def test_an_own_model_may_not_take_an_installed_name(toy):
    with pytest.raises(AssayError, match="model 'zero' exists in toy/line already"):
        assay.run("toy/line", models={"zero": object})


def test_an_own_model_must_be_callable(toy):
    with pytest.raises(AssayError, match=r"models\['mine'\] must be a class or a function that builds one, got int"):
        assay.run("toy/line", models={"mine": 3})


@pytest.mark.parametrize("seeds", [0, -1, [], [-1], "0:0", "5:2", "1,,2", ""])
def test_seeds_that_make_no_sense_are_refused(toy, seeds):
    with pytest.raises(AssayError, match="seeds"):
        assay.run("toy/line", seeds=seeds)


def test_a_large_count_may_be_meant_as_a_seed_and_is_asked_about(toy):
    with pytest.raises(AssayError, match="write 0:1000 for so many seeds, or 1000:1001 for this seed alone"):
        assay.run("toy/line", seeds="1000")


def test_a_parameter_that_json_has_no_form_for_is_refused(toy):
    toy.edit("assay_mean.py", 'knobs={"shrink": (0.0, 0.5, 1.0)}', "knobs={}")
    with pytest.raises(AssayError, match="parameter shrink: give a number, a text"):
        assay.run("toy/line", entrants=["mean"], params={"shrink": {"a": 1}})
