"""Backends as a dimension of runs, comparisons and claims: on toys without torch, and on a small torch family."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import assay
import pytest
from assay import api, by_backend, roofline
from assay.backends import deterministic
from assay.checks import equivalence
from assay.context import Context
from assay.digest import Digester
from assay.export import flat
from assay.spec import CPU, Backend, Cell, Metric, Model, Record
from assay.store import Store
from kit import copied, subject

COUNTING = """
from contextlib import contextmanager

from assay import Backend, CannotRun, hookimpl

CALLS = []


def told(name, value=None):
    def call(*args):
        CALLS.append(name)
        return value
    return call


def prepare(module):
    CALLS.append("prepare")
    if type(module).__name__ == "Zero":
        raise CannotRun("it has no unit for nothing")
    return module


@contextmanager
def session():
    CALLS.append("session opens")
    yield
    CALLS.append("session closes")


SECONDS = iter(range(0, 1000, 10))


@hookimpl
def assay_backends():
    return [
        Backend("counting", prepare=prepare, session=session, confirm=told("confirm"), available=told("available"),
                synchronise=told("synchronise"), reset_memory=told("reset"), peak_memory=told("peak", 4096),
                describe=told("describe", "Abacus"), compiling=lambda: float(next(SECONDS))),
        Backend("pretending", confirm=lambda module: "all ran on the CPU"),
    ]
"""
CLAIMING = """
from assay import Claim, Paper, hookimpl, score, within

error = score("squared_error", task="toy/line")


def same(there):
    return within(error("line", backend="cpu") - error("line", backend=there), 0.01)


@hookimpl
def assay_papers():
    return [Paper("pinned", "Pinned", 2024, "toy", [
        Claim("twin-is-the-same", same("twin"), says="", published=""),
        Claim("worse-is-the-same", same("worse"), says="", published=""),
        Claim("absent-is-the-same", same("absent"), says="", published=""),
        Claim("unknown-is-the-same", same("tpu"), says="", published=""),
    ])]
"""
WORSE = """
from assay import Backend, hookimpl


class Off:
    def __init__(self, module):
        self.module = module

    def fit(self, x, y):
        self.module.fit(x, y)

    def predict(self, x):
        return self.module.predict(x) + 1


@hookimpl
def assay_backends():
    return [Backend("worse", prepare=Off)]
"""


@pytest.fixture
def counting(toy):
    """A backend in a distribution of its own, which notes how the core calls it."""
    toy.write("assay-backend-counting", COUNTING)
    return toy


def calls():
    import assay_backend_counting

    return assay_backend_counting.CALLS


def ran(**options):
    return api.run("toy/line", scale="smoke", datasets=["noisy"], **{"entrants": ["line"], "seeds": 1, **options})


def test_a_third_party_s_backend_is_called_around_a_cell_in_its_order(counting):
    (record,) = ran(backend="counting").records
    assert record.ok and record.cell.backend == "counting"
    inside = [name for name in calls() if name not in ("available", "describe")]
    assert inside == [
        *("reset", "session opens", "prepare", "synchronise", "synchronise", "peak"),
        *("synchronise", "confirm", "session closes"),
    ]
    assert record.environment["device"] == "Abacus"
    assert record.costs["peak_memory"] == 4096


def test_compiling_is_reported_apart_and_no_clock_counts_it(counting):
    (record,) = ran(backend="counting").records
    # the clock of compilation moves by 10 s at every look: at the start, around `fit`, at the end
    assert record.costs["compile_seconds"] == 30
    assert record.costs["fit_seconds"] == 0


def test_an_entrant_that_cannot_run_is_a_row_with_the_reason(counting):
    done = ran(backend=["cpu", "counting"], entrants=["line", "zero"])
    reasons = {(r.cell.model, r.cell.backend): r.reason for r in done.records}
    assert reasons.pop(("zero", "counting")) == "cannot run on counting: it has no unit for nothing"
    assert set(reasons.values()) == {""} and len(reasons) == 3


def test_what_did_not_really_run_on_the_backend_fails(counting):
    (record,) = ran(backend="pretending").records
    assert record.reason == "cannot run on pretending: all ran on the CPU"


def test_a_task_that_keeps_its_entrants_from_backends_runs_on_the_cpu_only(counting):
    here, there = api.run("toy/sign", scale="smoke", seeds=1, backend=["cpu", "counting"]).records
    assert here.ok
    assert there.reason == (
        "cannot run on counting: toy/sign does not hand its entrants to a backend; run it with --backend cpu"
    )


def test_a_backend_s_record_never_resumes_another_s(toy):
    toy.install("assay-backend-twin")
    assert ran(backend="cpu").resumed == 0
    assert ran(backend="twin").resumed == 0
    assert ran(backend=["cpu", "twin"]).resumed == 2


def test_the_switches_of_a_session_belong_to_what_a_record_rests_on():
    cell, model = Cell("t", "d", "m", (), 0, "smoke", "x"), Model("m", "t", dict)
    plain, strict = Backend("x"), Backend("x", session=deterministic)
    entries = {Digester().entry(cell, model, "", (), backend) for backend in (plain, strict)}
    assert len(entries) == 2


def test_claims_across_backends_are_verified_end_to_end(toy):
    toy.install("assay-backend-twin").write("assay-backend-worse", WORSE)
    toy.write("assay-pinned", CLAIMING, ["family:toy", "task:toy/line", "paper:pinned"])
    found = {v.claim.id: v for v in assay.verify("pinned", seeds=10, scale="smoke").verdicts}
    assert found["twin-is-the-same"].outcome == "holds"
    assert found["worse-is-the-same"].outcome == "fails"
    assert found["absent-is-the-same"].outcome == "untested"
    assert "no such device" in found["absent-is-the-same"].reason
    assert "pip install assay-backend-tpu" in found["unknown-is-the-same"].reason


def record(model, backend, seed, reason="", **values):
    metrics = {k: v for k, v in values.items() if k == "accuracy"}
    costs = {k: v for k, v in values.items() if k != "accuracy"}
    cell = Cell("toy/line", "toy/noisy", model, (), seed, "small", backend)
    return Record(cell, f"{model}{backend}{seed}", metrics, costs, reason=reason, environment={"device": backend})


RECORDS = [
    *(record("net", "cpu", s, accuracy=0.5 + s / 10, fit_seconds=1.0, forward_seconds=0.01) for s in range(3)),
    *(record("net", "gpu", s, accuracy=0.6 + s / 10, fit_seconds=2.0 ** (s - 2)) for s in range(3)),
    record("net", "npu", 0, "cannot run on npu: no unit"),
]


def test_backends_are_compared_by_paired_differences_and_ratios_of_costs():
    (found,) = by_backend.comparisons(RECORDS, "accuracy", "fraction")
    cpu, gpu, npu = found.lines
    assert (found.reference, cpu.difference, dict(cpu.ratios)) == ("cpu", None, {})
    assert gpu.difference.value == pytest.approx(0.1)
    ratio = gpu.ratios["fit_seconds"]  # 1/4, 1/2 and 1: logarithms are one ln 2 apart
    assert ratio.value == pytest.approx(0.5)
    half = 4.302653 * math.log(2) / math.sqrt(3)
    assert (ratio.low, ratio.high) == pytest.approx((0.5 * math.exp(-half), 0.5 * math.exp(half)), rel=1e-5)
    assert "forward_seconds" not in gpu.ratios
    assert npu.failures == ("seed 0: cannot run on npu: no unit",)


def test_the_command_shows_backends_side_by_side_with_the_reason_of_a_failure(plugins, command):
    with Store() as store:
        store.describe("toy/line", [Metric("accuracy", float, ("x",), "up", "fraction")])
        for one in RECORDS:
            store.put(one)
    status, out, _ = command("compare", "toy/line", "--by", "backend")
    assert status == 0
    assert "net      cpu      3      0.600 [0.35, 0.85]  -  " in out
    assert "gpu      3      0.700 [0.45, 0.95]  0.100 [0.10, 0.10]  0.500 [0.09, 2.8]" in out
    assert "net @npu: cannot run on npu: no unit" in out.replace("seed 0: ", "")
    status, out, _ = command("compare", "toy/line", "--by", "backend", "--json")
    assert [line["backend"] for line in json.loads(out)[0]["lines"]] == ["cpu", "gpu", "npu"]
    assert command("compare", "toy/line", "--by", "backend", "--iqm")[0] == 2


def test_exported_rows_name_backend_and_device():
    row = flat(RECORDS[3])
    assert (row["backend"], row["environment.device"]) == ("gpu", "gpu")


@pytest.fixture
def columns(tmp_path, monkeypatch):
    """The small torch family."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_STORE", raising=False)
    return subject(copied(tmp_path / "family"), "paper", monkeypatch)


def compared(columns, backend):
    columns.catalog.load()
    columns.catalog.backends[backend.id] = backend
    with Store() as store:
        return list(equivalence.rows(columns, backend, store))


def test_an_equal_backend_is_found_equal(columns):
    rows = compared(columns, Backend("twin"))
    assert {row.state for row in rows} == {"same"}
    assert {(row.output, row.drift) for row in rows} == {(0.0, 0.0)}


def test_a_backend_that_changes_weights_differs(columns):
    import torch

    def shifted(module):
        with torch.no_grad():
            for p in module.parameters():
                p += 0.1
        return module

    rows = compared(columns, Backend("off", prepare=shifted))
    assert {row.state for row in rows} == {"differs"}
    assert all(row.output > 1e-4 for row in rows)


def test_a_backend_that_raises_fails_with_its_words(columns):
    def broken(module):
        raise RuntimeError("not implemented for 'Half'")

    rows = compared(columns, Backend("broken", prepare=broken))
    assert {(row.state, row.said) for row in rows} == {("fails", "error: RuntimeError: not implemented for 'Half'")}


def test_the_command_compares_entrants_with_the_cpu(toy, command, monkeypatch):
    toy.install("assay-backend-twin").write("assay-backend-worse", WORSE)
    status, out, _ = command("check", "mean", "--backend", "twin")
    assert status == 0
    assert "same         toy/line line: squared_error" in out
    status, out, _ = command("check", "mean", "--backend", "worse")
    assert (status, "differs      toy/line line" in out) == (1, True)
    assert command("check", "mean", "--backend", "absent")[0] == 2


def context(backend=CPU):
    return Context(Cell("t", "d", "m", (), 0, "smoke", backend.id), {}, backend)


@pytest.fixture
def net():
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(256, 512)


def test_the_forward_of_a_prediction_is_timed_again_with_its_operations_and_bytes(net):
    import torch

    ctx, x = context(), torch.randn(64, 256)
    module = ctx.prepare(net)
    with ctx.timer("predict"), torch.no_grad():
        module(x)
        module(x[:1])
    ctx.time_forward()
    flops, moved = 2 * 64 * 256 * 512, 4 * (256 * 512 + 512 + 64 * 256 + 64 * 512)
    assert ctx.costs["forward_bytes"] == moved
    assert ctx.costs["flops_per_second"] * ctx.costs["forward_seconds"] == pytest.approx(flops)
    assert ctx.costs["parameter_bytes"] == 4 * (256 * 512 + 512)
    assert ctx.costs["forward_spread"] >= 0
    assert "__call__" not in vars(type(net))


def test_a_prediction_that_does_not_call_the_module_has_no_timed_forward(net):
    ctx = context()
    ctx.prepare(net)
    with ctx.timer("predict"):
        net.weight.sum()
    ctx.time_forward()
    assert "forward_seconds" not in ctx.costs


def test_reports_and_metrics_see_the_module_on_the_cpu_and_the_clock_where_it_ran():
    moves = []
    ctx = context(Backend("far", device="far"))
    ctx.prepare(SimpleNamespace(to=moves.append))
    with ctx.inspected():
        assert moves == ["cpu"]
    assert moves == ["cpu", "far"]


def test_the_share_of_the_roofline_follows_the_lower_roof(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_ROOFLINE", str(tmp_path / "below" / "roofline.json"))
    costs = {"flops_per_second": 5e9, "forward_seconds": 1.0, "forward_bytes": 1e9}
    assert roofline.share(CPU, costs) == {}
    roofline.keep(CPU, roofline.Roof(roofline.device(CPU), 1e11, 2e9))
    assert roofline.share(CPU, costs) == {"roofline_share": pytest.approx(5e9 / 1e10)}  # 5 FLOP a byte, 2 GB/s
    roofline.keep(CPU, roofline.Roof(roofline.device(CPU), 8e9, 2e9))
    assert roofline.share(CPU, costs) == {"roofline_share": pytest.approx(5 / 8)}
    roofline.keep(CPU, roofline.Roof("another machine", 8e9, 2e9))
    assert roofline.share(CPU, costs) == {}


def test_doctor_measures_the_roofs_once_and_keeps_them(toy, command, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_ROOFLINE", str(tmp_path / "roofline.json"))
    for name, value in {"ORDER": 64, "BYTES": 4096, "SECONDS": 0.001}.items():
        monkeypatch.setattr(roofline, name, value)
    toy.install("assay-backend-twin")
    status, out, _ = command("doctor", "--roofline")
    assert status == 0
    assert "roofline absent: no such device" in out
    assert set(roofline.known()) >= {"cpu", "twin"}
    assert roofline.known()["cpu"].flops_per_second > 0
