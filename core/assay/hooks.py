"""The hooks that a plugin may implement (pluggy), found through the entry-point group `assay`."""

from __future__ import annotations

from typing import Any

import pluggy

from assay.spec import Backend, Cell, Dataset, Metric, Model, Paper, Record, Schema, Suite, Task

PROJECT = "assay"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin's module as the implementation of the hook of its name."""


@hookspec
def assay_tasks() -> list[Task]:  # type: ignore[empty-body]
    """Return the tasks (arenas) of a suite."""


@hookspec
def assay_datasets() -> list[Dataset]:  # type: ignore[empty-body]
    """Return data sets; one enters every task that accepts its schema."""


@hookspec
def assay_schemas() -> list[Schema]:  # type: ignore[empty-body]
    """Return the schemas of a suite's data, by which users bring their own."""


@hookspec
def assay_models() -> list[Model]:  # type: ignore[empty-body]
    """Return entrants, each for one task."""


@hookspec
def assay_metrics() -> list[Metric]:  # type: ignore[empty-body]
    """Return metrics; a task names those it reports, a paper may add its own."""


@hookspec
def assay_backends() -> list[Backend]:  # type: ignore[empty-body]
    """Return backends: devices, precisions, compilers."""


@hookspec
def assay_suites() -> list[Suite]:  # type: ignore[empty-body]
    """Return the family that a suite serves."""


@hookspec
def assay_papers() -> list[Paper]:  # type: ignore[empty-body]
    """Return papers with their claims."""


@hookspec
def assay_cell_started(cell: Cell) -> None:
    """Called before a cell runs: trackers, notifications."""


@hookspec
def assay_cell_finished(cell: Cell, record: Record) -> None:
    """Called after a cell ended, well or not, with the record that is stored."""


@hookspec(firstresult=True)
def assay_run_cell(cell: Cell, ctx: Any) -> Record | None:
    """Run a cell. Implement it with `hookimpl(wrapper=True)` to profile, trace or meter the work inside."""
