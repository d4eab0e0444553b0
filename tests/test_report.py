"""The page's data and its safety. What it looks like and does is tested in a browser: test_report_browser.py."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
import report_data as made
from assay import AssayError, cli, recorded
from assay.catalog import Plugin
from assay.leaderboard import leaderboards
from assay.report import Sources, render, tracked
from assay.report.content import compose
from assay.report.figures import column, short, thinned
from assay.report.papers import claimed, papers
from assay.report.serve import Server
from assay.store import Store

TASK = "sets/clouds"


def data(records, told=(), title="Report"):
    return compose(list(records), {TASK: made.METRICS}, list(told), title)


@pytest.fixture
def records():
    return [made.record(TASK, entrant, seed) for entrant in range(3) for seed in range(4)]


@pytest.fixture
def store(records, tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as opened:
        opened.describe(TASK, made.metrics())
        for record in records:
            opened.put(record)
    return str(path)


@pytest.fixture
def verdicts(tmp_path):
    return made.write_verdicts(tmp_path / "verdicts", 2)


def test_boards_are_those_of_compare(records):
    (arena,) = data(records)["arenas"]
    (board,) = leaderboards(records, "accuracy", "up", "fraction")
    shown = [(arena["entrants"][r[0]]["name"], r[1]) for r in arena["boards"][0]["rows"]]
    assert shown == [(row.entrant, row.rank) for row in board.rows]
    assert arena["boards"][0]["rows"][0][2] == pytest.approx(board.rows[0].mean, rel=1e-5)
    assert [b["metric"] for b in arena["boards"]] == ["accuracy", "accuracy[keep=0.5]", "perm_gap"]


def test_runs_by_column_give_every_record_back(records):
    (arena,) = data(records)["arenas"]
    runs = arena["runs"]
    by_digest = {r.digest[:12]: r for r in records}
    for i in range(len(records)):
        record = by_digest[runs["digest"][12 * i : 12 * (i + 1)]]
        assert arena["entrants"][runs["entrant"][i]]["name"] == record.cell.model
        assert runs["seed"][i] == record.cell.seed
        assert runs["metrics"]["accuracy"]["all"][i] == pytest.approx(record.metrics["accuracy"], rel=1e-5)
        assert runs["start"] + runs["finished"][i] == int(record.finished)


def test_a_failed_run_keeps_its_reason_and_detail(records):
    found = data([*records, made.record(TASK, 0, 9, reason="timeout")])
    place = max(found["arenas"][0]["runs"]["reason"])
    assert found["reasons"][place] == ["timeout", "Traceback (most recent call last):\n  ..."]
    assert found["arenas"][0]["entrants"][0]["failed"] == 1


def test_records_of_an_older_protocol_are_left_out_and_counted(records):
    old = replace(made.record(TASK, 7, 0), protocol="older", finished=1.0)
    found = data([*records, old])
    assert found["superseded"] == 1
    assert "entrant-07" in found["arenas"][0]["notes"][0]


def test_curves_are_means_with_half_intervals_on_few_steps(records):
    (arena,) = data(records)["arenas"]
    curve = arena["curves"]["0"]["loss"]
    logged = [[p["loss"] for p in r.curve] for r in records if r.cell.model == "entrant-00"]
    assert curve["step"][0] == 0 and curve["step"][-1] == 390 and len(curve["step"]) == 32
    assert curve["mean"][0] == pytest.approx(sum(values[0] for values in logged) / 4, rel=1e-3)
    assert all(half > 0 for half in curve["half"])


def test_curves_of_different_steps_meet_on_those_that_all_have():
    first, second = made.record(TASK, 0, 0), made.record(TASK, 0, 1)
    curve = tuple({"step": s, "loss": float(s)} for s in (5, 15, 25))
    (arena,) = data([replace(first, curve=curve), replace(second, curve=curve[1:])])["arenas"]
    assert arena["curves"]["0"]["loss"] == {"step": [15, 25], "mean": [15, 25], "half": [0, 0]}


def test_a_value_that_is_the_same_at_every_seed_is_kept_once():
    assert column([5.0, 5.0, 7.0], [0, 0, 1], 3) == {"each": [5, 7]}
    assert column([5.0, 6.0, None], [0, 0, 1], 3) == {"all": [5, 6, None]}
    assert short(0.123456789) == 0.123457 and short(float("inf")) is None
    assert thinned(range(101), 5) == [0, 25, 50, 75, 100]


@pytest.mark.parametrize(
    ("check", "regions"),
    [
        ("accuracy(a) - accuracy(b) > 0.05", [[0.05, None]]),
        ("worst(gap(a)) <= 1e-09", [[None, 1e-09]]),
        ("accuracy(a) = 1 +- 0.1", [[0.9, 1.1]]),
        ("(f(a, n=3) >= -2) & (g(b) < 4)", [[-2.0, None], [None, 4.0]]),
    ],
)
def test_the_claimed_region_is_read_from_a_printed_hypothesis(check, regions):
    assert claimed(check) == regions


def test_papers_come_from_folders_of_verdicts_and_from_metadata(verdicts, tmp_path, monkeypatch):
    (tmp_path / "assay_other-1.0.dist-info").mkdir()
    (tmp_path / "assay_other-1.0.dist-info" / "METADATA").write_text("Name: assay-other\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    keywords = ("paper:other", "family:sets", "claim:a", "claim:b")
    found = papers([verdicts], plugins=[Plugin("assay-other", "1.0", "Other", "no_such_module", keywords)])
    by_id = {p["id"]: p for p in found}
    assert set(by_id) == {"paper-000", "paper-001", "other"}
    assert [c["verdict"] for c in by_id["other"]["claims"]] == ["untested", "untested"]
    assert by_id["paper-001"]["tested"]["scale"] == "small"


def kept(paper, scale, finished, **sources):
    return {**made.verdict(paper), "scale": scale, "sources": sources, "finished": finished}


def test_what_the_store_keeps_is_shown_where_nothing_is_recorded():
    found = papers([], [], [kept(0, "small", 1), kept(0, "smoke", 2)])
    assert [(p["id"], p["origin"], p["tested"]["scale"]) for p in found] == [("paper-000", "store", "small")]
    assert [v["scale"] for v in found[0]["here"]] == ["small", "smoke"]


def test_recorded_verdicts_count_before_those_of_the_store_unless_they_alone_are_stale(tmp_path, monkeypatch):
    plugin = Plugin("assay-zero", "1.0", "Zero", "no_such_module", ("paper:paper-000",))
    content = {**made.verdict(0), "scale": "full"}
    for changed, origin in (((), "recorded"), (("some.module:thing",), "store")):
        monkeypatch.setattr("assay.recorded.read", lambda _, c=changed: recorded.Recorded(content, "there", c))
        (paper,) = papers([], [plugin], [kept(0, "smoke", 1)])
        assert (paper["origin"], len(paper["here"]), bool(paper["stale"])) == (origin, 1, False)


def test_verdicts_of_the_store_go_stale_with_the_sources_of_an_installed_paper():
    plugin = Plugin("assay-zero", "1.0", "Zero", "no_such_module", ("paper:paper-000",))
    assert papers([], [], [kept(0, "small", 1, **{"gone:thing": "0"})])[0]["stale"] == []
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("assay.recorded.read", lambda _: None)
        assert papers([], [plugin], [kept(0, "small", 1, **{"gone:thing": "0"})])[0]["stale"] == ["gone:thing"]


@pytest.mark.parametrize("content", ["no json", "[]", '{"schema": 1}', '{"schema": 99, "paper": "x", "claims": []}'])
def test_a_file_that_holds_no_verdicts_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(AssayError, match=r"some\.json"):
        papers([path], plugins=[])


HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 \ud800 ]]>"


def test_no_text_ends_the_data_or_enters_the_markup(records):
    text = render(data(records, title=HOSTILE))
    assert "<script>alert" not in text
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(inside)["title"] == HOSTILE
    assert "<title>&lt;/script&gt;" in text


def test_the_policy_admits_exactly_the_scripts_and_styles_of_the_page(records):
    text = render(data(records))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == "'none'"
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert rules["script-src"].split() == [_hash(script) for script in scripts]
    assert _hash(re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]) in rules["style-src"]
    assert "unsafe" not in policy and "http:" not in policy


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_names_no_address_that_it_would_load(records):
    text = render(data(records))
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_the_command_writes_the_page_and_tells_its_size(store, verdicts, tmp_path, capsys):
    out = tmp_path / "new" / "page.html"
    arguments = ["report", "--store", store, "--verdicts", str(verdicts), "--out", str(out), "--json"]
    assert cli.main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 12 and told["papers"] >= 2 and told["bytes"] == out.stat().st_size


def test_an_empty_store_gives_a_page_and_an_unwritable_one_an_error(tmp_path, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["report", "--store", str(tmp_path / "none.db"), "--out", str(out)]) == 0
    assert not (tmp_path / "none.db").exists()
    assert cli.main(["report", "--store", str(tmp_path / "none.db"), "--out", "/proc/none/page.html"]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.fixture
def server(store):
    with Server(Sources(store, plugins=())) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(server, path, **headers):
    request = urllib.request.Request(server.url + path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    return urllib.request.urlopen(request, timeout=10)


def test_a_server_gives_newer_data_only_when_there_is_some(server, store):
    answer = ask(server, "data.json")
    tag = answer.headers["ETag"]
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        ask(server, "data.json", If_None_Match=tag)
    assert unchanged.value.code == 304
    with Store(store) as opened:
        opened.put(made.record(TASK, 5, 0))
    newer = ask(server, "data.json", If_None_Match=tag)
    assert len(json.load(newer)["arenas"][0]["runs"]["seed"]) == 13


def test_a_served_page_may_ask_its_server_and_no_other(server):
    text = ask(server, "").read().decode()
    assert "connect-src 'self'" in text and '"stamp"' in text


def test_a_server_refuses_a_foreign_name_and_an_unknown_path(server):
    for path, headers, code in (("", {"Host": "evil.example"}, 403), ("etc/passwd", {}, 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(server, path, **headers)
        assert refused.value.code == code


@pytest.fixture
def tracks(tmp_path):
    """Pages of `assay track publish`, and a file beside them that is none of theirs."""
    pages = tmp_path / "html"
    (pages / "graphs").mkdir(parents=True)
    (pages / "index.html").write_text("<p>tracks")
    (pages / "graphs" / "a.json").write_text("[1]")
    (tmp_path / "secret.txt").write_text("secret")
    return pages


def test_the_page_links_to_tracks_from_where_it_lies(tracks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracked.published(None) is None
    assert tracked.link(tracked.published("html"), tmp_path / "docs") == "../html/index.html"
    assert tracked.link(tracked.published("https://example.org/t/"), tmp_path) == "https://example.org/t/"
    with pytest.raises(AssayError, match=r"no index\.html"):
        tracked.published("docs")
    (tmp_path / ".asv").mkdir()
    tracks.rename(tmp_path / ".asv" / "html")
    assert tracked.link(tracked.published(None), tmp_path) == ".asv/html/index.html"


def test_a_server_shows_the_tracks_and_nothing_beside_them(store, tracks):
    with Server(Sources(store, plugins=()), track=tracks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert json.load(ask(server, "data.json"))["track"] == "track/index.html"
            assert ask(server, "track/").read() == b"<p>tracks"
            assert ask(server, "track/graphs/a.json?x=1").headers["Content-Type"] == "application/json; charset=utf-8"
            for path in ("track/../secret.txt", "track/%2e%2e/secret.txt", "track/graphs", "track/%00"):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    ask(server, path)
                assert refused.value.code == 404
        finally:
            server.shutdown()


def test_a_port_that_is_taken_is_an_error_with_advice(server):
    with pytest.raises(AssayError, match="--port"):
        Server(Sources(None), server.server_port)


def test_ten_thousand_records_stay_within_the_weight():
    found = list(made.records(10_000))
    known = {r.cell.task: made.METRICS for r in found}
    told = papers([], plugins=[])
    size = len(render(compose(found, known, told, "Large")).encode())
    assert size <= 1.5e6 + 100 * len(found)


def test_gathering_imports_no_plugin_and_no_torch(store, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from assay.report import Sources, gather; "
        f"gather(Sources({store!r})); "
        "print([m for m in sys.modules if m.startswith(('assay_', 'torch', 'pandas'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
