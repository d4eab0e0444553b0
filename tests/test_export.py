"""Exports: the tidy table of records, tables for papers, and MLflow read back by its own interface."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import assay
import pytest
import report_data as made
from assay import AssayError, cli, export
from assay.leaderboard import leaderboards
from assay.store import Store

TASK = "sets/clouds"


@pytest.fixture
def records():
    found = [made.record(TASK, entrant, seed) for entrant in range(4) for seed in range(5)]
    found.append(made.record(TASK, 3, 7, reason="timeout: no end after 120 s"))
    return [*found, made.record(TASK, 2, 0, params={"width": 32, "pool": "max"})]


@pytest.fixture
def store(records, tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as opened:
        opened.describe(TASK, made.metrics())
        for record in records:
            opened.put(record)
    return str(path)


def boards(records, direction="up"):
    return leaderboards(records, "accuracy", direction, "fraction")


def test_the_table_has_a_row_a_record_and_the_same_columns_in_each(records):
    rows = export.table(records)
    assert len(rows) == len(records)
    assert len({tuple(row) for row in rows}) == 1
    assert list(rows[0])[:7] == ["schema", "task", "dataset", "model", "param.pool", "param.width", "seed"]
    assert rows[-1]["param.width"] == 32 and rows[0]["param.width"] is None
    assert rows[0]["finished"].endswith("+00:00")


def test_a_parameter_of_several_types_becomes_json(records):
    records.append(made.record(TASK, 2, 1, params={"width": "wide"}))
    assert {row["param.width"] for row in export.table(records)} == {None, "32", '"wide"'}


def test_csv_gives_every_value_back(records):
    rows = list(csv.DictReader(io.StringIO(export.as_csv(export.table(records)))))
    assert len(rows) == len(records)
    assert float(rows[0]["metric.accuracy"]) == records[0].metrics["accuracy"]
    assert rows[20]["reason"] == "timeout: no end after 120 s" and rows[20]["metric.accuracy"] == ""


def test_json_names_its_schema(records):
    found = json.loads(export.as_json(export.table(records)))
    assert found["schema"] == export.SCHEMA
    assert found["records"][0]["metric.accuracy"] == records[0].metrics["accuracy"]


def test_parquet_keeps_types_and_the_schema(records, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export.to_parquet(export.table(records), tmp_path / "records.parquet")
    found = parquet.read_table(tmp_path / "records.parquet")
    assert found.schema.metadata[b"assay_schema"] == b"1"
    assert str(found.schema.field("metric.accuracy").type) == "double"
    assert found.num_rows == len(records)


def test_assay_records_gives_a_data_frame(store, records):
    pytest.importorskip("pandas")
    frame = assay.records(store, task=TASK)
    assert len(frame) == len(records) and frame.attrs["assay_schema"] == export.SCHEMA
    by_model = frame[frame.reason == ""].groupby("model")["metric.accuracy"].mean()
    assert by_model["entrant-03"] > by_model["entrant-00"]


def test_a_column_that_does_not_exist_is_an_error(store):
    pytest.importorskip("pandas")
    with pytest.raises(AssayError, match="did you mean 'dataset'"):
        assay.records(store, data_set="x")


def test_latex_sets_the_best_in_bold_when_it_is_better_than_every_other():
    found = [made.record(TASK, entrant, seed) for entrant in (0, 9, 19) for seed in range(6)]
    text = export.as_latex(boards(found))
    assert text.count(r"\mathbf") == 1
    assert r"entrant-19 & $\mathbf{0." in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index("entrant-19") < text.index(r"\bottomrule")


def test_latex_sets_nothing_in_bold_when_the_best_is_not_separable():
    found = [made.record(TASK, entrant, seed) for entrant in (9, 10) for seed in range(3)]
    shuffled = [replace(r, metrics={"accuracy": [0.8, 0.9, 0.7, 0.9, 0.7, 0.8][i]}) for i, r in enumerate(found)]
    text = export.as_latex(boards(shuffled))
    assert r"\mathbf" not in text and r"$0.80 \pm 0.25$" in text


def test_latex_and_markdown_escape_what_a_name_holds():
    record = made.record(TASK, 0, 0)
    odd = replace(record, cell=replace(record.cell, model=r"50%_a&b|\c"))
    assert r"50\%\_a\&b|\textbackslash{}c" in export.as_latex(boards([odd]))
    assert r"50%\_a&b\|\\c" in export.as_markdown(boards([odd]))


def test_a_failed_entrant_stands_in_the_table():
    found = [made.record(TASK, 0, seed) for seed in range(3)] + [made.record(TASK, 1, 0, reason="timeout")]
    assert "entrant-01 & failed" in export.as_latex(boards(found))


def test_the_command_writes_each_format(store, tmp_path, capsys):
    for name in ("csv", "json", "latex", "markdown"):
        out = tmp_path / "new" / f"out.{name}"
        assert cli.main(["export", TASK, "--to", name, "--out", str(out), "--store", store]) == 0
        assert "entrant-03" in out.read_text()
    assert cli.main(["export", "--to", "csv", "--store", store, "--scale", "small"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].count(",") > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "cvs"], "did you mean 'csv'"),
        (["--to", "latex"], "of one task"),
        (["--to", "parquet"], "--out"),
        (["--to", "csv", "--scale", "full"], "no such record"),
        (["--to", "csv", "--out", "/proc/nothing/x.csv"], "name another file"),
    ],
)
def test_what_cannot_be_exported_is_said(store, arguments, message, capsys):
    assert cli.main(["export", *arguments, "--store", store]) == 2
    assert message in capsys.readouterr().err


def test_mlflow_gives_back_runs_metrics_curves_and_failures(store, records, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    few = records[18:]
    from assay.mlflow_export import to_mlflow

    assert to_mlflow(few, uri) == (len(few), 0)
    assert to_mlflow(few, uri) == (0, len(few))
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(f"assay/{TASK}")
    runs = {run.data.tags["assay.digest"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {record.digest for record in few}
    done, failed = runs[few[0].digest], runs[few[2].digest]
    assert done.data.metrics["accuracy"] == pytest.approx(few[0].metrics["accuracy"])
    assert done.data.metrics["accuracy.keep.0.5"] == pytest.approx(few[0].metrics["accuracy[keep=0.5]"])
    assert done.data.params["model"] == "entrant-03" and done.info.status == "FINISHED"
    assert failed.info.status == "FAILED" and failed.data.tags["assay.reason"].startswith("timeout")
    curve = client.get_metric_history(done.info.run_id, "curve/loss")
    assert [point.step for point in curve] == [point["step"] for point in few[0].curve]
    assert runs[few[3].digest].data.params["param.width"] == "32"


def test_mlflow_that_refuses_is_an_error_in_a_line(records):
    pytest.importorskip("mlflow")
    from assay.mlflow_export import to_mlflow

    with pytest.raises(AssayError, match="MLflow at nonsense://x refuses"):
        to_mlflow(records, "nonsense://x")
