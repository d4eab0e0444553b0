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


FINDINGS = """\
What is proved to be exact is exact: Hamming distances, SOR's rate by Young's formula, rotations that keep lengths over \
50 keys, summands of interval modules, and descent of an alternating search hold at every seed. What is asymptotic \
overtakes early or not within reach: a vineyard from 15 lines, fast Hadamard binding from dimension 1,024, row sketches \
against a dense solve from order 1,280 and for one digit alone, alternating enumeration against sampling from 4 ranks; \
the logarithm under Abrahamson's root stays, and a bandit with context is still a third above the best omega of each \
system after 30,000. A plain library or search often does better than the paper's entrant at these sizes: scipy's \
trust-constr solves all eight test problems where sketched Newton solves 85 %, bidirectional search solves every puzzle \
state by a shortest path in some 3,000 nodes, coordinate descent needs no more evaluations than TnALE, and sums of \
squares by cvxpy certify most fields without training. Claims that fail say how far a theorem's constant or its \
missing tools matter (strict stability of summands, the logarithm, the instance-optimal bandit), and those that stay \
inconclusive lie near their margins with five seeds: each paper's notes give the figure. Counted operations and \
seconds disagree below some thousand elements: of the exact Hamming algorithms on four letters the one with the fewest \
operations at m = 256 takes three times as long as Abrahamson's.
"""


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    question = (
        "Does an algorithm with a theorem behind it (exact, a complexity exponent, an approximation ratio) keep its "
        "promise at sizes one can run, against the library a user would pick, in operations counted and not timed?"
    )
    return [Suite("numerics", "Numerics", question, FINDINGS)]


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
