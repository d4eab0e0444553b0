"""The numerics family: does an algorithm with a theorem keep its promise at sizes one can run, in counted operations?"""

from __future__ import annotations

from assay import Dataset, Metric, Model, Schema, Suite, Task, hookimpl

from assay_numerics import (
    bifiltrations,
    discrete_search,
    equality_nlp,
    goal_puzzles,
    hamming_shifts,
    json_vectors,
    linear_stream,
    lyapunov,
    point_sampling,
)

ARENAS = (
    bifiltrations,
    discrete_search,
    equality_nlp,
    goal_puzzles,
    hamming_shifts,
    json_vectors,
    linear_stream,
    lyapunov,
    point_sampling,
)


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    question = (
        "Does an algorithm with a theorem behind it (exact, a complexity exponent, an approximation ratio) keep its "
        "promise at sizes one can run, against the library a user would pick, in operations counted and not timed?"
    )
    return [Suite("numerics", "Numerics", question)]


@hookimpl
def assay_tasks() -> list[Task]:
    """Return the family's arenas."""
    return [arena.TASK for arena in ARENAS]


@hookimpl
def assay_schemas() -> list[Schema]:
    """Return the forms of data that a user can bring."""
    return [arena.SCHEMA for arena in (hamming_shifts, linear_stream, point_sampling)]


@hookimpl
def assay_datasets() -> list[Dataset]:
    """Return the family's data sets."""
    return [dataset for arena in ARENAS for dataset in arena.DATASETS]


@hookimpl
def assay_models() -> list[Model]:
    """Return the baselines."""
    return [model for arena in ARENAS for model in arena.MODELS]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the family's metrics."""
    return [metric for arena in ARENAS for metric in arena.METRICS]
