"""The conformance kit around its checks: waivers, what is kept between runs, the command and the pytest plugin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assay.checks import runner
from assay.cli import main
from assay.errors import AssayError
from kit import PLUGINS, copied, subject

pytest_plugins = ("pytester",)
MODULE, TOML = "paper/assay_weights.py", "paper/pyproject.toml"
PRINTS = (MODULE, "return self.linear", "print('x')\n        return self.linear")


def waiver(text: str) -> tuple[str, str, str]:
    return (
        TOML,
        "[tool.hatch.build.targets.wheel]\n",
        f"[tool.assay.waivers]\n{text}\n\n[tool.hatch.build.targets.wheel]\n",
    )


def examined(folder, monkeypatch, *checks, cache=None):
    return runner.examine(subject(folder, "paper", monkeypatch), map(runner.check_by_id, checks), cache=cache)


def test_a_waiver_with_a_reason_is_counted_and_does_not_fail(tmp_path, monkeypatch):
    folder = copied(tmp_path / "weights", PRINTS, waiver('no-print = "the paper is about printing"'))
    report = examined(folder, monkeypatch, "no-print")
    assert report.ok
    assert report.count("waived") == 1
    assert report.results[0].note == "the paper is about printing"


def test_a_waiver_without_a_reason_is_refused(tmp_path, monkeypatch):
    folder = copied(tmp_path / "weights", PRINTS, waiver('no-print = "because"'))
    with pytest.raises(AssayError, match="needs a reason"):
        examined(folder, monkeypatch, "no-print")


def test_a_waiver_of_an_unknown_check_is_refused(tmp_path, monkeypatch):
    folder = copied(tmp_path / "weights", waiver('no-prints = "a typo in the id"'))
    with pytest.raises(AssayError, match="did you mean 'no-print'"):
        examined(folder, monkeypatch, "no-print")


def test_a_waiver_that_nothing_needs_is_a_finding(tmp_path, monkeypatch):
    folder = copied(tmp_path / "weights", waiver('no-print = "left from an older version"'))
    report = examined(folder, monkeypatch, "no-print")
    assert not report.ok
    assert report.results[-1].findings == ("no-print passes: remove its waiver",)


def test_smoke_findings_are_kept_until_a_source_changes(tmp_path, monkeypatch):
    folder, cache = copied(tmp_path / "weights", PRINTS), tmp_path / "cache"
    first = examined(folder, monkeypatch, "quiet", cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "apply", lambda *_: pytest.fail("ran again"))
        assert examined(folder, monkeypatch, "quiet", cache=cache) == first
    path = folder / MODULE
    path.write_text(path.read_text().replace("print('x')\n        ", ""))
    assert not first.ok
    assert examined(folder, monkeypatch, "quiet", cache=cache).ok


def test_fix_writes_keywords_and_readme_from_the_code(tmp_path, monkeypatch, capsys):
    renamed = (MODULE, '"weights-help"', '"weights-really-help"')
    folder = copied(tmp_path / "weights", renamed, ("paper/README.md", "# A weight", "# Weight"))
    wrong = subject(folder, "paper", monkeypatch)
    from assay import fixing

    assert list(fixing.fix(wrong)) == ["pyproject.toml: keywords", "README.md"]
    report = examined(folder, monkeypatch, "same-claims", "readme-fresh")
    assert report.ok
    assert "weights-really-help" in (folder / "paper/README.md").read_text()


def test_the_familys_leaderboard_comes_from_a_store_and_stays(tmp_path, monkeypatch):
    import assay
    from assay import readme

    suite = subject(copied(tmp_path / "weights"), "suite", monkeypatch)
    store = str(tmp_path / "records.db")
    from assay.plan import Planner, Selection
    from assay.running import execute
    from assay.store import Store

    suite.catalog.load()
    with Store(store) as opened:
        execute(Planner(suite.catalog).jobs(Selection(("sums/columns",), seeds=(0, 1, 2))), suite.catalog, opened)
    text = readme.generated(suite, store=store)
    first = next(line for line in text.splitlines() if line.startswith("| 1 | `weights` |")).split(" | ")
    assert first[4] == "3"  # seeds
    (suite.root / "README.md").write_text(text)
    assert readme.generated(suite) == text
    assert assay.compare("sums/columns", store=store)
    other = "**sums/columns** on elsewhere, mse (square), small\n\n| 1 | `mean` |"
    (suite.root / "README.md").write_text(text.replace("<!-- /leaderboard", f"\n{other}\n<!-- /leaderboard"))
    renewed = readme.generated(suite, store=store)
    assert renewed.count("**sums/columns** on ") == 2 and other in renewed  # what the store does not have stays
    (suite.root / "README.md").write_text(renewed)
    assert readme.generated(suite, store=store) == renewed


def test_the_familys_readme_names_claims_by_verdict_and_what_was_learned(tmp_path, monkeypatch):
    from dataclasses import replace

    from assay import readme

    suite = subject(copied(tmp_path / "weights"), "suite", monkeypatch)
    monkeypatch.setattr(type(suite), "suite", replace(suite.suite, findings="Weights pay."))
    text = readme.generated(suite)
    assert "1 paper, 1 claims: 1 holds." in text
    assert "| A weight a column (`weights`) | weights-help |  |  |  |" in text
    assert text.endswith("## What we learned\n\nWeights pay.\n")


def test_explain_says_why_and_what_to_do(capsys):
    assert main(["check", "--explain", "paper-imports"]) == 0
    out = capsys.readouterr().out
    assert "why: a paper must work without any other paper" in out
    assert "fix:" in out


def test_an_unknown_check_gets_a_suggestion(capsys):
    assert main(["check", "--explain", "paper-import"]) == 2
    assert "did you mean 'paper-imports'" in capsys.readouterr().err


def test_an_unknown_plugin_is_a_usage_error(capsys):
    assert main(["check", "no-such-paper"]) == 2
    assert "neither an installed plugin nor a folder" in capsys.readouterr().err


def test_the_command_exits_with_1_and_names_the_place(tmp_path, monkeypatch, capsys):
    folder = copied(tmp_path / "weights", PRINTS)
    subject(folder, "paper", monkeypatch)
    monkeypatch.chdir(tmp_path)
    paths = [str(folder / "paper"), str(folder / "suite")]
    assert main(["check", *paths, "--static", "--only", "no-print", "--json"]) == 1
    reports = {report["plugin"]: report["results"] for report in json.loads(capsys.readouterr().out)}
    assert reports["weights"][0]["findings"] == ["assay_weights.py:23 prints"]
    assert reports["assay-sums"][0]["state"] == "passed"


def test_pytest_applies_the_kit_to_the_folders_that_it_collects(pytester):
    for path in (PLUGINS / "suite").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = pytester.path / "suite" / path.relative_to(PLUGINS / "suite")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())
    toml = Path(pytester.path / "suite/pyproject.toml")
    toml.write_text(toml.read_text().replace('license = "MIT"\n', ""))
    result = pytester.runpytest_subprocess("--assay-static", "-p", "no:cacheprovider", "suite")
    result.stdout.fnmatch_lines(["*license is None: name it by its SPDX id*"])
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 20
    assert outcomes["failed"] <= 2  # the licence; and the README, which names papers that are not beside it here


def test_a_verdict_that_rests_on_other_sources_is_stale(tmp_path, monkeypatch):
    sources = ("paper/verdict.json", '"scale"', '"sources": {"assay_weights:Weighted": "0"}, "scale"')
    report = examined(copied(tmp_path / "weights", sources), monkeypatch, "verdict-fresh")
    assert report.results[0].findings == ("verdict.json rests on other sources than these: assay_weights:Weighted",)
