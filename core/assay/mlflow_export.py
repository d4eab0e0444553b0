"""Records as runs of an MLflow tracking server or folder: one experiment a task, one run a record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from assay.errors import AssayError
from assay.spec import Record, show_params

BATCH = 900
"""Metrics a call: MLflow takes 1,000 at most."""
DIGEST = "assay.digest"


def to_mlflow(records: Iterable[Record], uri: str | None) -> tuple[int, int]:
    """Write records as runs; return how many were written, and how many were there already, told by their digest.

    Metrics and costs keep their names, learning curves become metrics `curve/NAME` by step, what MLflow does not allow in
    a name (`accuracy[keep=0.5]`) becomes a dot. A failed record is a run with status FAILED and its reason as a tag.

    Raises:
        AssayError: MLflow is not installed, or its server refuses.
    """
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise AssayError("this export needs MLflow: pip install 'assay[mlflow]'") from error
    written = present = 0
    known: dict[str, tuple[str, set[str]]] = {}
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        for record in records:
            task = record.cell.task
            if task not in known:
                known[task] = _experiment(client, task)
            experiment, digests = known[task]
            if record.digest in digests:
                present += 1
            else:
                _write(client, experiment, record)
                written += 1
    except MlflowException as error:
        raise AssayError(f"MLflow at {uri or 'its default place'} refuses: {str(error).splitlines()[0]}") from error
    except ModuleNotFoundError as error:
        raise AssayError(
            f"MLflow needs {error.name} for {uri}: pip install {error.name}, or the whole mlflow"
        ) from error
    return written, present


def _experiment(client: Any, task: str) -> tuple[str, set[str]]:
    """Return the id of a task's experiment, made when it is not there, and the digests of its runs."""
    name = f"assay/{task}"
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name)), set()
    digests: set[str] = set()
    token = None
    while True:
        page = client.search_runs([found.experiment_id], max_results=1000, page_token=token)
        digests |= {run.data.tags[DIGEST] for run in page if DIGEST in run.data.tags}
        token = page.token
        if not token:
            return str(found.experiment_id), digests


def _write(client: Any, experiment: str, record: Record) -> None:
    from mlflow.entities import Metric, Param

    cell, end = record.cell, int(record.finished * 1000)
    tags = {DIGEST: record.digest, "assay.protocol": record.protocol, "assay.scale": cell.scale}
    tags |= {"assay.reason": record.reason} if record.reason else {}
    tags |= {f"environment.{_name(name)}": value for name, value in record.environment.items()}
    params = {"dataset": cell.dataset, "model": cell.model, "seed": cell.seed, "backend": cell.backend}
    params |= {f"param.{name}": value for name, value in cell.params}
    start = end - int(record.seconds * 1000)
    text = f"{cell.model}{f'({show_params(cell.params)})' if cell.params else ''} seed {cell.seed}"
    run = client.create_run(experiment, start_time=start, tags=tags, run_name=text).info.run_id
    metrics = [Metric(_name(n), v, end, 0) for n, v in {**record.metrics, **record.costs}.items()]
    for point in record.curve:
        step = int(point.get("step", 0))
        metrics += [Metric(f"curve/{_name(n)}", v, end, step) for n, v in point.items() if n != "step"]
    client.log_batch(run, params=[Param(_name(n), str(v)) for n, v in params.items()])
    for i in range(0, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[i : i + BATCH])
    client.set_terminated(run, "FINISHED" if record.ok else "FAILED", end)


def _name(text: str) -> str:
    """Return a name with what MLflow does not allow made dots.

    >>> _name('accuracy[keep=0.5]')
    'accuracy.keep.0.5'
    """
    return re.sub(r"[^\w\-. /]+", ".", text).strip(".")
