"""Properties of plans, expressions and the store that hold for any input."""

from __future__ import annotations

import string

import numpy as np
import pytest
from assay import AssayError, score
from assay.catalog import Catalog
from assay.expressions import Arithmetic, Constant, Expression, evaluate
from assay.plan import Planner, Selection, seeds_of
from assay.spec import SCALES, Cell, Record, freeze
from assay.store import Store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# plans


@pytest.fixture
def planner(toy):
    """A planner over the toy plugins."""
    return Planner(Catalog().load(tasks=["toy/line", "toy/sign"]))


subsets = st.lists(st.sampled_from(["zero", "mean", "half-mean", "line"]), min_size=1, max_size=6)
selections = st.builds(
    Selection,
    what=st.lists(st.sampled_from(["toy/line", "toy/*", "mean"]), min_size=1).map(tuple),
    models=subsets.map(tuple),
    datasets=st.lists(st.sampled_from(["noisy", "clean", "toy/clean"]), max_size=3).map(tuple),
    seeds=st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True).map(tuple),
    scale=st.sampled_from(["smoke", "small"]),
    backends=st.lists(st.just("cpu"), min_size=1, max_size=2).map(tuple),
)


@quick
@given(selections)
def test_a_plan_holds_each_cell_once_under_its_own_digest(planner, selection):
    jobs = planner.jobs(selection)
    assert len({job.cell for job in jobs}) == len({job.digest for job in jobs}) == len(jobs)
    assert {job.cell.model for job in jobs} == set(selection.models)
    assert {job.cell.seed for job in jobs} == set(selection.seeds)


@quick
@given(selections)
def test_cells_that_share_data_stand_together(planner, selection):
    places = [(job.cell.task, job.cell.dataset, job.cell.seed) for job in planner.jobs(selection)]
    blocks = [place for i, place in enumerate(places) if i == 0 or places[i - 1] != place]
    assert len(blocks) == len(set(blocks))


@quick
@given(selections)
def test_a_plan_is_the_same_every_time_and_its_jobs_stand_alone(planner, selection):
    jobs = planner.jobs(selection)
    fresh = Planner(planner.catalog)
    assert [fresh.job(job.cell).digest for job in jobs] == [job.digest for job in jobs]
    assert list(planner.jobs(selection)) == list(jobs) == [jobs[i] for i in range(len(jobs))]


@quick
@given(selections, st.sampled_from(["models", "datasets", "what", "backends", "scale"]))
def test_one_wrong_name_anywhere_stops_the_whole_plan(planner, selection, field):
    from dataclasses import replace

    value = "nothing-like-it" if field == "scale" else (*getattr(selection, field), "nothing-like-it")
    with pytest.raises(AssayError, match="nothing-like-it"):
        planner.jobs(replace(selection, **{field: value}))


def test_a_plan_of_millions_of_cells_is_made_at_once(planner):
    few, many = (planner.jobs(Selection(("toy/line",), seeds=range(count))) for count in (3, 10**6))
    assert 3 * len(many) == 10**6 * len(few)
    assert many[-1].cell.seed == 10**6 - 1 and many[-1] == planner.job(many[-1].cell)


@given(st.integers(1, 200))
def test_a_count_of_seeds_is_a_range_from_zero(count):
    assert seeds_of(count) == seeds_of(str(count)) == seeds_of(f"0:{count}") == range(count)


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_a_list_of_seeds_keeps_its_order(seeds):
    assert seeds_of(",".join(map(str, seeds))) == seeds_of(seeds) == tuple(seeds)


# expressions

ENTRANTS = ["a", "b", "c"]
acc = score("accuracy", task="toy/line")
leaves = st.one_of(st.sampled_from(ENTRANTS).map(acc), st.integers(-9, 9).map(float))


def _combine(inner):
    return st.tuples(inner, st.sampled_from("+-*/"), inner).map(_apply)


def _apply(parts):
    left, operator, right = parts
    if not isinstance(left, Expression) and not isinstance(right, Expression):
        left = acc("a")
    return eval(f"left {operator} right", {"left": left, "right": right})


arithmetic = st.recursive(leaves, _combine, max_leaves=8).filter(lambda e: isinstance(e, Expression))
numbers = st.fixed_dictionaries({name: st.floats(0.1, 10) for name in ENTRANTS})


def _as_python(expression: Expression) -> str:
    if isinstance(expression, Arithmetic):
        return f"({_as_python(expression.left)} {expression.operator} {_as_python(expression.right)})"
    return f"({expression.value!r})" if isinstance(expression, Constant) else expression.entrant


@given(arithmetic, numbers)
def test_arithmetic_agrees_with_numpy(expression, values):
    wanted = {name: np.float64(value) for name, value in values.items()}
    try:
        found = evaluate(expression, {acc(name): value for name, value in values.items()})
    except ZeroDivisionError:
        with np.errstate(divide="raise", invalid="raise"), pytest.raises(FloatingPointError):
            eval(_as_python(expression), wanted)
    else:
        assert found == eval(_as_python(expression), wanted)


@given(arithmetic, numbers)
def test_a_printed_expression_reads_as_it_was_meant(expression, values):
    wanted = {name: np.float64(value) for name, value in values.items()}
    with np.errstate(all="ignore"):
        printed = eval(str(expression), {"accuracy": wanted.get, **{name: name for name in ENTRANTS}})
        np.testing.assert_array_equal(printed, eval(_as_python(expression), wanted))


@given(arithmetic, arithmetic)
def test_expressions_are_values(one, other):
    assert (one == other) == (repr(one) == repr(other))
    assert one != other or hash(one) == hash(other)


@given(arithmetic, st.sampled_from([">", ">=", "<", "<="]), st.floats(-5, 5))
def test_a_comparison_names_its_scores_once_and_has_no_truth_value(expression, operator, bound):
    claim = eval(f"e {operator} b", {"e": expression, "b": bound})
    assert len(claim.scores()) == len(set(claim.scores())) == len({s.entrant for s in expression.scores()})
    with pytest.raises(TypeError):
        bool(claim)


# the store

words = st.text(string.ascii_lowercase + "-_é/", min_size=1, max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), finite, words)
params = st.dictionaries(words, st.one_of(plain, st.lists(plain, max_size=3)), max_size=3).map(freeze)
cells = st.builds(
    Cell, words, words, words, params, st.integers(0, 2**31), st.sampled_from(SCALES), words, st.none() | words
)
digests = st.text("0123456789abcdef", min_size=32, max_size=32)
records = st.builds(
    Record,
    cells,
    digests,
    st.dictionaries(words, finite, max_size=3),
    st.dictionaries(words, finite, max_size=3),
    st.lists(st.dictionaries(words, finite, max_size=2).map(lambda point: {"step": 1.0, **point}), max_size=3).map(
        tuple
    ),
    st.one_of(st.just(""), words),
    st.text(max_size=20).filter(lambda text: "\0" not in text),
    finite,
    st.dictionaries(words, words, max_size=3),
    finite,
    digests,
)


@settings(quick, max_examples=15)
@given(st.lists(records, max_size=5, unique_by=lambda r: r.digest))
def test_a_stored_record_comes_back_as_it_was(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("store") / "records.db"
    with Store(path) as store:
        for record in items:
            store.put(record)
    with Store(path) as store:
        found = store.get(record.digest for record in items)
        assert found == {record.digest: record for record in items}
        assert store.ends(found) == {record.digest: (record.finished, record.ok) for record in items}
        assert len(store) == len(items)


@settings(quick, max_examples=15)
@given(records, records)
def test_a_second_record_of_a_cell_takes_the_place_of_the_first(tmp_path_factory, first, second):
    from dataclasses import replace

    second = replace(second, digest=first.digest)
    with Store(tmp_path_factory.mktemp("store") / "records.db") as store:
        store.put(first)
        store.put(second)
        assert store.get([first.digest]) == {first.digest: second} and len(store) == 1


def test_seeds_of_data_are_shared_by_entrants_and_seeds_of_weights_are_not(planner):
    from assay.context import Context

    jobs = planner.jobs(Selection(("toy/line",), seeds=(0, 1)))
    contexts = [Context(job.cell, {}) for job in jobs]
    data = {(c.cell.dataset, c.cell.seed): c.data_seed for c in contexts}
    assert all(c.data_seed == data[c.cell.dataset, c.cell.seed] for c in contexts)
    assert len(set(data.values())) == len(data) == 4
    assert len({c.model_seed for c in contexts}) == len({(c.cell.model, c.cell.seed) for c in contexts})
