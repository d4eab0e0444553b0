"""`assay verify` end to end on a toy arena: looks, missing entrants, power, recording."""

from __future__ import annotations

import importlib
import json
import re
import sys

import assay
import pytest
from assay import api, catalog, cli, falsify
from assay.catalog import Plugin
from assay.report import Sources, gather
from assay.verifying import stored

TOY = """
import numpy as np
from assay import Claim, Dataset, Metric, Model, Paper, Task, hookimpl, score

acc = score("quality", task="toyver/arena")


def noise(gain=0.0, spread=0.1):
    return gain, spread


def run(entrant, data, ctx):
    gain, spread = entrant.build()
    if gain == "crash":
        raise RuntimeError("boom")
    with ctx.timer("fit"):
        scores = data + gain + spread * np.random.normal(size=len(data))
    return {"module": None, "scores": scores}


def load(seed, scale, source):
    return np.random.default_rng(seed).normal(size=40)


def quality(outcome):
    return float(np.mean(outcome["scores"]))


def each(outcome):
    return outcome["scores"]


@hookimpl
def assay_tasks():
    return [Task("toyver/arena", "numbers", run, ("quality",), "toyver/draws", "build() gives a gain",
                 {"smoke": {}, "small": {}, "full": {}})]


@hookimpl
def assay_datasets():
    return [Dataset("draws", "numbers", load)]


@hookimpl
def assay_metrics():
    return [Metric("quality", quality, ("scores",), "up", "units", examples=each)]


@hookimpl
def assay_models():
    return [
        Model("good", "toyver/arena", noise, {"gain": 1.0}),
        Model("fair", "toyver/arena", noise, {"gain": 0.1, "spread": 1.0}),
        Model("plain", "toyver/arena", noise),
        Model("crashing", "toyver/arena", noise, {"gain": "crash"}),
    ]


@hookimpl
def assay_papers():
    return [Paper("toyver", "A toy", 2020, "toyver", [
        Claim("good-wins", acc("good") - acc("plain") > 0.5, says="good beats plain", seeds=4),
        Claim("fair-wins", acc("fair") - acc("plain") > 0.0, says="fair beats plain", seeds=4),
        Claim("needs-another", acc("good") - acc("rival-net") > 0.0, says="good beats a rival"),
        Claim("crashes", acc("crashing") > 0.0, says="crashing is good", seeds=2),
    ])]
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The toy plugin, as the only one that is installed; records go to a store of the test's own."""
    (tmp_path / "toyver.py").write_text(TOY)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    info = tmp_path / "assay_toyver-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: assay-toyver\nVersion: 0\nProvides-Extra: rivals\n"
        "Requires-Dist: assay-rival; extra == 'rivals'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    plugin = Plugin("assay-toyver", "0", "A toy", "toyver", ("family:toyver", "task:toyver/arena", "paper:toyver"))
    monkeypatch.setattr(catalog, "installed", lambda: [plugin])
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "records.db"))
    yield tmp_path
    sys.modules.pop("toyver", None)


def verdicts(**options):
    return {v.claim.id: v for v in assay.verify("toyver", scale="smoke", **options).verdicts}


def test_each_claim_gets_its_verdict(toy):
    found = verdicts()
    assert found["good-wins"].outcome == "holds"
    assert found["crashes"].outcome == "fails"
    assert "RuntimeError: boom" in found["crashes"].failures[0]
    assert found["good-wins"].seconds > 0


def test_the_page_shows_what_was_verified_and_not_recorded(toy):
    verdicts()
    (paper,) = gather(Sources(plugins=()))["papers"]
    assert paper["origin"] == "store" and paper["tested"]["scale"] == "smoke"
    assert {c["id"]: c["verdict"] for c in paper["claims"]}["good-wins"] == "holds"


def test_an_entrant_that_is_not_installed_comes_with_the_command_that_installs_it(toy):
    found = verdicts()["needs-another"]
    assert found.outcome == "untested"
    assert found.reason == "entrant rival-net is not installed: pip install assay-rival"


def test_looks_stop_when_a_claim_is_decided_and_go_on_when_not(toy):
    found = verdicts(until_conclusive=16)
    assert found["good-wins"].looks == (4,)
    assert len(found["fair-wins"].per_seed) == found["fair-wins"].looks[-1]
    assert found["fair-wins"].looks in {(4,), (4, 8), (4, 8, 16)}
    assert found["good-wins"].confidence == pytest.approx(1 - 0.05 * 4 / 16)


def test_force_runs_the_cells_of_each_look_once(toy):
    ran = []
    verdicts(until_conclusive=8, force=True, progress=lambda event: event.record and ran.append(event.record.digest))
    assert len(ran) == len(set(ran))


def test_a_scale_that_does_not_exist_is_refused_before_anything_runs(toy):
    with pytest.raises(assay.AssayError, match="did you mean 'small'"):
        assay.verify("toyver", scale="smal")


def test_power_reads_the_store_alone(toy, capsys):
    with pytest.raises(assay.AssayError, match="assay verify toyver --scale smoke"):
        stored("toyver", scale="smoke")
    verdicts()
    assert cli.main(["power", "toyver", "--scale", "smoke", "--json"]) == 0
    rows = {row["claim"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["good-wins"]["needed"] <= 4
    assert rows["fair-wins"]["detectable"] > rows["good-wins"]["detectable"] > 0
    assert rows["needs-another"]["needed"] is None


def timeless(text):
    """Return a verdict.json without durations: the cell that crashed is run, and timed, a second time."""
    return re.sub(r'"seconds": [\d.]+', '"seconds": 0', text)


def test_recorded_verdicts_are_shown_and_listed(toy, capsys):
    assert cli.main(["verify", "toyver", "--scale", "smoke", "--record"]) == 1  # a cell crashed
    first = timeless((toy / "verdict.json").read_text())
    assert cli.main(["verify", "toyver", "--scale", "smoke", "--record"]) == 1
    assert timeless((toy / "verdict.json").read_text()) == first
    capsys.readouterr()
    assert cli.main(["list", "--verdicts", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdicts"]["good-wins"] == "holds"
    assert row["stale"] is False
    assert cli.main(["show", "toyver"]) == 0
    assert "recorded at scale smoke" in capsys.readouterr().out


def test_every_claim_of_a_paper_can_be_refuted_from_what_is_stored(toy):
    verdicts()
    found = falsify.self_test("toyver", scale="smoke")
    broken = {(b.claim, b.how): b.outcome for b in found}
    assert broken["good-wins", "good and plain exchanged"] == "fails"
    assert broken["good-wins", "fair in place of good"] == "fails"
    assert {b.claim for b in found} == {"good-wins", "fair-wins"}  # the others were never measured


def test_scores_of_examples_are_kept_beside_the_store_when_asked(toy):
    options = {"scale": "smoke", "seeds": 3, "entrants": ["good", "fair", "plain"]}
    run = assay.run("toyver/arena", **options)
    assert not (toy / "records.db.examples").exists()
    kept = assay.run("toyver/arena", keep_examples=True, **options)
    assert kept.digests == run.digests
    assert kept.resumed == 0  # the cells were finished, but without their examples
    assert assay.run("toyver/arena", keep_examples=True, **options).resumed == 9
    assert {path.stem for path in (toy / "records.db.examples").iterdir()} == set(kept.digests)


def test_entrants_are_compared_example_by_example(toy, capsys):
    assay.run("toyver/arena", scale="smoke", seeds=4, entrants=["good", "fair", "plain"], keep_examples=True)
    assert cli.main(["compare", "toyver/arena", "--scale", "smoke", "--examples", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["examples"].values()
    by_name = {d["b"]: d for d in found}
    assert {d["a"] for d in found} == {"good"}
    assert by_name["plain"]["effect"] == pytest.approx(1.0, abs=0.1)
    assert by_name["plain"]["over_both"][0] > 0.9
    assert by_name["plain"]["fixed_test_set"] is False
    assert cli.main(["compare", "toyver/arena", "--scale", "smoke", "--examples"]) == 0
    assert "drawn anew at every seed" in " ".join(capsys.readouterr().out.split())


def test_comparing_by_examples_that_were_not_kept_says_how_to_keep_them(toy):
    assay.run("toyver/arena", scale="smoke", seeds=2, entrants=["good", "plain"])
    with pytest.raises(assay.AssayError, match="--keep-examples"):
        api.differences("toyver/arena", scale="smoke")


def test_examples_whose_mean_is_not_the_metric_fail_the_cell(toy):
    text = (toy / "toyver.py").read_text()
    (toy / "toyver.py").write_text(text.replace('return outcome["scores"]', 'return outcome["scores"] + 1'))
    run = assay.run("toyver/arena", scale="smoke", seeds=1, entrants=["good"], keep_examples=True)
    assert "the mean of its examples" in run.failed[0].reason


def test_compare_prints_and_exports_all_that_it_knows(toy, capsys):
    assay.run("toyver/arena", scale="smoke", seeds=4, entrants=["good", "fair", "plain"])
    asked = ["compare", "toyver/arena", "--scale", "smoke", "--pareto", "--iqm"]
    assert cli.main(asked) == 0
    text = capsys.readouterr().out
    assert "front" in text
    assert "Interquartile mean" in text
    assert cli.main([*asked, "--profile", "--json"]) == 0
    data = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    (board,) = data["boards"]
    assert board["rows"][0]["entrant"] == "good"
    assert board["rows"][0]["groups"] == "a"
    assert data["iqm"]["rows"][0]["entrant"] == "good"
    assert "positive" in data["profile"]["reason"]


def test_keywords_that_lag_behind_the_code_are_named(plugins):
    source = (
        "from assay import Claim, Paper, hookimpl, score\n"
        "@hookimpl\n"
        "def assay_papers():\n"
        "    error = score('error', task='toy/line')\n"
        "    return [Paper('late', title='Late', year=2000, family='toy', claims=[Claim('c', error('mean') < 1, says='s')])]\n"
    )
    plugins.install("assay-toy").write("assay-late", source, ("family:toy", "task:toy/other", "paper:late", "claim:c"))
    (found,) = assay.verify("late", scale="smoke").verdicts
    assert found.outcome == "untested"
    assert found.reason.startswith("the installed keywords of assay-late lack toy/line: assay check late --fix")
