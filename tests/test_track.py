"""Tracking over commits: what asv keeps is read, steps for the worse are told from noise, pages need no network."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from assay.cli import main
from assay.tracking import judging, results, running, showing
from assay.tracking.results import Track

pytest.importorskip("asv")

COMMITS = [f"{number:040x}" for number in range(1, 10)]
CHANGED = 4


def noise(rng, rounds, scatter=0.05):
    return np.exp(scatter * rng.normal(size=rounds))


def timed(name="time_fit", *, factor=1.0, rounds=3, seed=0, base=0.1, unit="seconds", commits=COMMITS, paper="p"):
    """A noisy track whose level is `factor` times as high from commit CHANGED on."""
    rng = np.random.default_rng(seed)
    drift = noise(rng, rounds, 0.2)  # what a round does to all commits
    samples = {
        commit: tuple(base * drift * noise(rng, rounds) * (factor if at >= CHANGED else 1))
        for at, commit in enumerate(commits)
    }
    return Track(name, paper, paper, "d", f"arenas.T.track_{name}", "same", unit, samples)


def exact(values, name="error", commits=COMMITS):
    """A track without noise, with the given samples (a tuple, or None for a failure) at each commit."""
    return Track(name, "p", "p", "d", f"arenas.T.track_{name}", "same", name, dict(zip(commits, values, strict=False)))


def alarms(*tracks):
    return [change for change in judging.regressions(tracks, COMMITS) if change.sure]


@pytest.mark.parametrize("seed", range(5))
def test_a_fit_that_takes_twice_as_long_is_found_at_its_commit(seed):
    (found,) = alarms(timed(factor=2.0, seed=seed), timed(seed=seed + 50, paper="q"))
    assert (found.commit, found.previous) == (COMMITS[CHANGED], COMMITS[CHANGED - 1])
    assert found.track.paper == "p" and found.after / found.before == pytest.approx(2.0, rel=0.15)
    assert 0 < found.doubt < judging.ALPHA


def test_noise_alone_raises_few_alarms():
    # 60 reports of 8 tracks each: at a chance of 5 % a report, more than 8 alarms have a probability below 1 %
    reports = [alarms(*(timed(seed=1000 * n + k, rounds=3) for k in range(8))) for n in range(60)]
    assert sum(map(bool, reports)) <= 8


def test_an_improvement_is_no_regression():
    assert not alarms(timed(factor=0.5))


def test_a_change_that_is_sure_and_small_is_no_alarm():
    assert not alarms(timed(factor=1.15, rounds=8))


def test_days_that_differ_more_than_rounds_are_the_noise():
    rng = np.random.default_rng(3)
    days = np.exp(0.4 * rng.normal(size=len(COMMITS)))
    steady = {c: tuple(0.1 * day * noise(rng, 3, 0.01)) for c, day in zip(COMMITS, days, strict=True)}
    assert not alarms(Track("time_fit", "p", "p", "d", "b", "same", "seconds", steady))


def test_changes_of_an_allocator_or_a_clock_are_none():
    assert not alarms(
        timed("peakmem_fit", base=5e5, factor=4.0, unit="bytes"), timed("time_predict", base=1e-5, factor=4.0)
    )


def test_more_memory_is_found():
    (found,) = alarms(timed("peakmem_fit", base=5e7, factor=4.0, unit="bytes"))
    assert found.commit == COMMITS[CHANGED]


def test_operations_and_parameters_are_certain():
    (found,) = alarms(exact([(100.0,)] * 3 + [(101.0,)] * 3, "flops"))
    assert found.commit == COMMITS[3] and found.doubt == 0 and "certain" in showing.text([found], {})


def test_an_error_that_leaps_beyond_its_scatter_between_seeds_is_found():
    before, after = (0.10, 0.13, 0.11), (0.91, 0.88, 0.90)
    (found,) = alarms(exact([before] * 4 + [after] * 4))
    assert found.commit == COMMITS[4] and found.doubt < 0.001


def test_seeds_that_are_reshuffled_are_no_alarm():
    assert not alarms(exact([(0.10, 0.13, 0.11)] * 4 + [(0.12, 0.11, 0.14)] * 4))


def test_an_error_at_one_seed_alone_is_left_open():
    (found,) = judging.regressions([exact([(0.1,)] * 2 + [(0.2,)] * 2)], COMMITS)
    assert not found.sure and math.isnan(found.doubt)
    assert "one round cannot tell" in showing.text([found], {}) and showing.data([found])[0]["doubt"] is None


def test_what_fails_since_a_commit_is_certain():
    (found,) = alarms(exact([(0.1, 0.1)] * 3 + [None] * 3))
    assert found.after is None and found.commit == COMMITS[3] and "fails since" in showing.text([found], {})


def test_a_paper_that_is_new_is_no_regression():
    late = exact([(0.5, 0.5)] * 3, commits=COMMITS[5:])
    assert not judging.regressions([late], COMMITS)


@pytest.mark.parametrize(("factor", "count"), [(2.0, 1), (1.0, 0)])
def test_two_commits_are_compared(factor, count):
    pair = COMMITS[CHANGED - 1 : CHANGED + 1]
    rng = np.random.default_rng(5)
    samples = {pair[0]: tuple(0.1 * noise(rng, 5)), pair[1]: tuple(0.1 * factor * noise(rng, 5))}
    track = Track("time_fit", "p", "p", "d", "b", "same", "seconds", samples)
    found = judging.compared([track], *pair, pair)
    assert len([change for change in found if change.sure]) == count


def test_one_round_of_two_commits_cannot_tell():
    track = Track("time_fit", "p", "p", "d", "b", "same", "seconds", {COMMITS[0]: (0.1,), COMMITS[1]: (0.3,)})
    (found,) = judging.compared([track], *COMMITS[:2], COMMITS)
    assert not found.sure


# ---- a checkout with results that asv itself wrote


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git repository of three commits with an asv.conf.json, the working folder."""
    monkeypatch.chdir(tmp_path)
    conf = {"version": 1, "project": "x", "repo": ".", "branches": ["HEAD"], "environment_type": "virtualenv"}
    conf |= {"results_dir": ".asv/results", "html_dir": ".asv/html", "benchmark_dir": "benchmarks"}
    Path("asv.conf.json").write_text(json.dumps(conf))
    git("init", "-q")
    for paper in "ab":
        words = f'keywords = ["paper:paper-{paper}", "model:f/t/{paper}"]'
        Path(paper).mkdir()
        Path(paper, "pyproject.toml").write_text(f'[project]\nname = "assay-{paper}"\n{words}\n')
    git("add", "-A")
    for number in range(3):
        Path("file").write_text(str(number))
        git("add", "file")
        git("commit", "-qm", f"commit {number}")
    return tmp_path


def git(*arguments: str) -> str:
    name = ["-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *name, *arguments], check=True, capture_output=True, text=True).stdout


NAME = "arenas.FT.track_time_fit"
BENCHMARK = {"name": NAME, "params": [["'a'", "'b'"], ["'d'"]], "version": "1", "unit": "seconds", "type": "time"}


def keep(commit: str, *rounds: tuple[float | None, float | None], environment: str = "same-py3") -> None:
    """Have asv keep rounds of a commit: seconds of a and of b, NaN for n/a, None for a failure."""
    import platform

    from asv.results import Results
    from asv.runner import BenchmarkResult
    from asv.util import write_json

    machine = {"machine": platform.node()}
    result = Results(machine, {}, commit, 0, "3", environment, {})
    for values in rounds:
        samples = [None if v is None or math.isnan(v) else [v] for v in values]
        numbers = [None if s is None else 1 for s in samples]
        told = [True if s is not None else v for s, v in zip(samples, values, strict=True)]
        result.add_result(
            BENCHMARK, BenchmarkResult(told, samples, numbers, 0, "", None), record_samples=True, append_samples=True
        )
    result.save(".asv/results")
    write_json(f".asv/results/{platform.node()}/machine.json", machine, 1)
    write_json(".asv/results/benchmarks.json", {NAME: BENCHMARK}, 2)


def test_samples_are_read_from_what_asv_keeps(checkout):
    old, new = git("rev-parse", "HEAD~1", "HEAD").split()
    keep(old, (0.1, math.nan), (0.11, math.nan))
    keep(new, (0.3, None))
    (a,), commits = results.tracks()
    assert (a.name, a.paper, a.entrant, a.dataset, a.unit) == ("time_fit", "paper-a", "a", "d", "seconds")
    assert a.samples == {old: (0.1, 0.11), new: (0.3,)}
    assert commits == {old, new}  # b has no value anywhere: n/a at the old commit, failed at the new one


def test_environments_are_not_mixed(checkout):
    head = git("rev-parse", "HEAD").strip()
    keep(head, (0.1, 0.2))
    keep(head, (0.5, 0.9), environment="virtualenv-py3")
    assert sorted(t.samples[head][0] for t in results.tracks()[0]) == [0.1, 0.2, 0.5, 0.9]


def test_rounds_that_are_there_are_not_measured_again(checkout):
    newest, middle, oldest = git("rev-list", "HEAD").split()
    keep(newest, (0.1, 0.2), (0.1, 0.2))
    keep(middle, (0.1, 0.2))
    todo = running._todo([newest, middle, oldest], (), 3, ("-E", "same:3"))
    assert todo == [(oldest, 0), (oldest, 1), (middle, 1), (newest, 2), (middle, 2), (oldest, 2)]


def test_strict_compare_tells_by_its_status(checkout, capsys):
    old, new = git("rev-parse", "HEAD~1", "HEAD").split()
    rng = np.random.default_rng(0)
    keep(old, *zip(0.1 * noise(rng, 5), 0.1 * noise(rng, 5), strict=True))
    keep(new, *zip(0.3 * noise(rng, 5), 0.1 * noise(rng, 5), strict=True))
    assert main(["track", "compare", "HEAD~1", "HEAD", "--strict"]) == 1
    told = capsys.readouterr().out
    assert "commit 2" in told and "paper-a: time_fit" in told and "paper-b" not in told
    assert main(["track", "compare", "HEAD", "HEAD~1", "--strict"]) == 0
    assert main(["track", "compare", "HEAD~1", "HEAD", "--strict", "--papers", "paper-b"]) == 0


def test_compare_says_what_to_run(checkout, capsys):
    assert main(["track", "compare", "HEAD~1", "HEAD"]) == 2
    assert "assay track run HEAD~1" in capsys.readouterr().err


def test_a_commit_that_does_not_exist_is_an_error(checkout, capsys):
    assert main(["track", "compare", "nowhere", "HEAD"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_regressions_without_results_say_what_to_run(checkout, capsys):
    assert main(["track", "regressions"]) == 2
    assert "assay track run" in capsys.readouterr().err


def test_a_folder_that_is_not_tracked_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["track", "regressions"]) == 2
    assert "asv.conf.json" in capsys.readouterr().err


def test_without_asv_the_extra_is_named(checkout, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "asv", None)
    assert main(["track", "run"]) == 2
    assert "pip install 'assay[track]'" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--minutes", "-1"]])
def test_a_budget_must_be_positive(checkout, capsys, wrong):
    assert main(["track", "run", *wrong]) == 2
    assert "--rounds" in capsys.readouterr().err


def test_published_pages_load_nothing_from_elsewhere(checkout, monkeypatch):
    from assay.tracking import publishing

    pages = checkout / ".asv" / "html"
    (pages / "graphs").mkdir(parents=True)
    (pages / "graphs" / "a.json").write_text("[1]")
    import asv

    (pages / "index.html").write_text((Path(asv.__file__).parent / "www" / "index.html").read_text())
    monkeypatch.setattr(publishing, "_file", lambda package, path, cache: b"")
    publishing.vendor(pages)
    publishing.embed(pages)
    text = (pages / "index.html").read_text()
    loaded = [line for line in text.splitlines() if "<script" in line or "<link" in line]
    assert loaded and not [line for line in loaded if "http" in line]
    assert '"graphs/a.json": [1]' in (pages / "vendor" / "data.js").read_text()


def test_an_entrant_whose_extra_is_missing_is_no_failure_of_the_commit():
    path = Path(__file__).parents[1] / "benchmarks" / "track" / "arenas.py"
    spec = importlib.util.spec_from_file_location("tracked_arenas", path)
    arenas = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arenas)
    arena = arenas.SetsPointClouds()
    lacks = "error: AssayError: this baseline needs gudhi: pip install ... (No module named 'gudhi')"
    with pytest.raises(NotImplementedError, match="gudhi"):
        arena.setup({(arena.task, "lines", "d"): lacks}, "lines", "d")
    with pytest.raises(RuntimeError, match="no good"):
        arena.setup({(arena.task, "lines", "d"): "error: ValueError: no good"}, "lines", "d")
