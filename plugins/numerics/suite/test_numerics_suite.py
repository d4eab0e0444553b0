"""The numerics suite: its data by seed, its baselines at smoke, and oracles for what the papers' tests do not reach."""

import contextlib
import importlib.metadata
import importlib.util
import itertools
import pickle
import re

import assay
import numpy as np
import pytest
from assay import AssayError
from assay_numerics import (
    ARENAS,
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
from assay_numerics.common import library, no_source

WRAPS = {"gudhi-lines": "gudhi", "sum-of-squares": "cvxpy"}
"""Baselines whose library is an optional extra."""
SLOW = (
    "polynomial-fields",
    "constrained-logistic",
    "numerics/lyapunov",
    "numerics/json-vectors",
    "numerics/bifiltrations",
)
DATASETS = [(arena, dataset) for arena in ARENAS for dataset in arena.DATASETS]


def content(data):
    """Bytes of a data set, with functions left out."""
    if hasattr(data, "__dataclass_fields__"):
        return [content(getattr(data, name)) for name in data.__dataclass_fields__]
    if isinstance(data, dict):
        return [(key, content(item)) for key, item in data.items()]
    if isinstance(data, list | tuple):
        return [content(item) for item in data]
    return None if callable(data) else pickle.dumps(data)


@pytest.mark.parametrize(
    ("arena", "dataset"),
    [pytest.param(a, d, id=d.id, marks=pytest.mark.slow if d.id in SLOW else ()) for a, d in DATASETS],
)
def test_the_seed_alone_decides_the_data(arena, dataset):
    first, again, other = (content(dataset.load(seed, "smoke", None)) for seed in (3, 3, 4))
    assert first == again
    assert first != other or arena.__name__.endswith("discrete_search")  # the graphs' problem has no chance in it


@pytest.mark.parametrize(
    "arena", [pytest.param(a, id=a.TASK.id, marks=pytest.mark.slow if a.TASK.id in SLOW else ()) for a in ARENAS]
)
def test_every_baseline_runs_at_smoke_on_every_data_set(arena, tmp_path):
    here = [b for b in arena.TASK.baselines if b not in WRAPS or importlib.util.find_spec(WRAPS[b])]
    done = assay.run(arena.TASK.id, entrants=here, seeds=1, scale="smoke", store=str(tmp_path / "r.db"))
    assert not done.failed
    assert len(done) == len(here) * len(arena.DATASETS)
    assert all(set(arena.TASK.metrics) & {k.partition("[")[0] for k in r.metrics} for r in done.records)


def test_a_missing_library_is_a_row_that_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(bifiltrations, "library", lambda module, extra: library("no_such_gudhi", extra))
    done = assay.run(
        "numerics/bifiltrations",
        entrants=["gudhi-lines"],
        datasets=["density-rips"],
        seeds=1,
        scale="smoke",
        store=str(tmp_path / "r.db"),
    )
    assert [r.reason for r in done.records] == [
        'error: AssayError: this baseline needs no_such_gudhi: pip install "assay-numerics[topology]" '
        "(No module named 'no_such_gudhi')"
    ]


def requirements(name):
    """Names of all that a distribution requires, directly or not, extras left out."""
    seen, todo = set(), [name]
    while todo:
        for text in importlib.metadata.requires(todo.pop()) or ():
            found = re.match(r"[\w.-]+", text)[0].lower().replace("_", "-")
            if "extra ==" not in text and found not in seen:
                seen.add(found)
                with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a marker's that is not ours
                    importlib.metadata.requires(found)
                    todo.append(found)
    return seen


@pytest.mark.parametrize(
    ("distribution", "wanted"),
    [
        ("assay-numerics", False),
        ("assay-adasketch-newton", False),
        ("assay-dpp-least-squares", False),
        ("assay-hamming-distances", False),
        ("assay-learning-to-relax", False),
        ("assay-mbat-json", False),
        ("assay-mma-multipersistence", False),
        ("assay-tnale", False),
        ("assay-alphazero-tabu-graphs", True),
        ("assay-efficient-cube", True),
        ("assay-lyapunov-transformer", True),
    ],
)
def test_installing_pulls_torch_for_papers_that_train_a_network_alone(distribution, wanted):
    assert ("torch" in requirements(distribution)) is wanted


def test_drawn_data_refuse_a_file():
    with pytest.raises(AssayError, match="reads no file"):
        no_source("strings", "small", "own.npz")


@pytest.mark.parametrize("omega", [1.0, 1.4, 1.8])
def test_sor_sweeps_are_those_of_the_matrix_splitting(omega):
    """(D/omega + L) x_new = b - (U + (1 - 1/omega) D) x in red-black order, with dense matrices."""
    side, shift, rng = 5, 0.2, np.random.default_rng(0)
    to_red, red, black = linear_stream.coupling(side)
    a = (4 + shift) * np.eye(side * side)
    a[np.ix_(red, black)] = -to_red.toarray()
    a[np.ix_(black, red)] = -to_red.toarray().T
    order = np.concatenate([red, black])
    p, b = a[np.ix_(order, order)], rng.standard_normal(side * side)
    split, x, count = np.tril(p, -1) + np.diag(np.diag(p)) / omega, np.zeros(side * side), 0
    while np.linalg.norm(b[order] - p @ x) > linear_stream.TOLERANCE * np.linalg.norm(b):
        x = np.linalg.solve(split, b[order] - (p - split) @ x)
        count += 1
    assert linear_stream.sor_iterations(np.array([shift]), b[None], omega)[0] == count


def test_oracles_of_the_stream_are_the_least_costs():
    data = linear_stream.shifted_laplacian(0, "smoke")
    fixed = linear_stream.Oracle(data.omegas, (0, 1), 8, np.random.default_rng(0))
    fixed.look(data)
    arms = [fixed.choose(0.0) for _ in range(10)]
    assert set(arms) == {int(data.iterations.sum(0).argmin())}


@pytest.mark.parametrize("load", [point_sampling.legendre, point_sampling.cross])
def test_features_are_orthonormal_on_the_nodes(load):
    phi = load(0, "smoke").features
    np.testing.assert_allclose(phi.T @ phi / len(phi), np.eye(phi.shape[1]), atol=1e-10)


def test_least_squares_on_all_nodes_is_the_projection():
    data = point_sampling.legendre(0, "smoke")
    phi, nodes = data.features, np.arange(len(data.features))[None]
    coefficients, gram = point_sampling.solve(phi, data.targets, nodes, np.ones(nodes.shape))
    np.testing.assert_allclose(gram[0], np.eye(phi.shape[1]), atol=1e-10)
    np.testing.assert_allclose(coefficients[0], data.targets @ phi / len(phi), atol=1e-10)


def test_a_users_features_must_be_independent():
    with pytest.raises(AssayError, match="depend on each other"):
        point_sampling.own({"features": np.ones((9, 2)), "target": np.ones(9)}, np.random.default_rng(0))


def test_own_strings_are_run_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", text=rng.integers(4, size=300), pattern=rng.integers(4, size=64))
    done = assay.run(
        "numerics/hamming-shifts",
        entrants=["abrahamson"],
        data={"mine": str(tmp_path / "own.npz")},
        seeds=1,
        store=str(tmp_path / "r.db"),
    )
    assert [r.metrics["max_abs_error"] for r in done.records] == [0.0]


def test_kopelowitz_porat_never_overestimates_and_is_near():
    data = hamming_shifts.letters(0, "smoke")
    found = hamming_shifts.KopelowitzPorat().distances(
        data.texts[64], data.patterns[64], 4, hamming_shifts.Work(), np.random.default_rng(0)
    )
    true = data.truth[64]
    assert (found <= true).all() and (found >= 0.75 * true).all()


@pytest.mark.parametrize("name", ["HS6", "HS7", "HS39", "HS40", "HS78"])
def test_trust_constr_finds_known_optima(name):
    problem, trace = next(p for p in equality_nlp.HOCK_SCHITTKOWSKI if p.name == name), equality_nlp.Trace()
    x = equality_nlp.TrustConstr().solve(problem, equality_nlp.TOLERANCE, 100, trace, np.random.default_rng(0))
    assert trace.kkt[-1] <= equality_nlp.TOLERANCE
    assert problem.values(x)[0] == pytest.approx(problem.optimum, abs=1e-5)


@pytest.mark.parametrize("load", [dataset.load for dataset in bifiltrations.DATASETS], ids=lambda load: load.__name__)
def test_gudhi_has_the_true_barcode_of_every_line(load):
    pytest.importorskip("gudhi")
    data, offsets = load(2, "smoke"), np.linspace(-0.5, 0.5, 9)
    found = bifiltrations.GudhiLines().approximate(data, offsets, bifiltrations.Work())
    for offset, bars in zip(offsets, found.bars, strict=True):
        assert bifiltrations.bottleneck(bars, bifiltrations.barcode(data, offset, bifiltrations.Work())) < 1e-12


@pytest.mark.parametrize("name", goal_puzzles.PUZZLES)
def test_bidirectional_search_finds_a_shortest_solution(name):
    puzzle, rng = goal_puzzles.PUZZLES[name](), np.random.default_rng(1)
    _, codes, distances = goal_puzzles.ball(puzzle, 5)
    for state in goal_puzzles.scrambled(puzzle, 6, 8, rng):
        moves, _ = goal_puzzles.Bidirectional().solve(puzzle, state, 10_000)
        at = state[None]
        for move in moves:
            at, legal = puzzle.step(at, np.array([move]))
            assert legal[0]
        assert puzzle.solved(at)[0]
        assert len(moves) == goal_puzzles.distance(puzzle, state, codes, distances)


def test_a_search_without_budget_gives_up():
    puzzle = goal_puzzles.PUZZLES["pocket-cube"]()
    (state,) = goal_puzzles.scrambled(puzzle, 1, 100, np.random.default_rng(0))
    moves, nodes = goal_puzzles.Bidirectional().solve(puzzle, state, 20)
    assert moves is None and nodes <= 20


def test_what_is_planted_in_a_chain_is_its_one_optimum():
    problem = discrete_search.Chains((1, 3, 2, 4), 1)
    values = {state: problem.value(state) for state in itertools.product(*problem.domains)}
    assert min(values, key=values.get) == (0, 1, 3, 2, 4)
    assert sorted(values.values())[1] > problem.known


def test_differential_evolution_reaches_a_small_chain():
    problem = discrete_search.Chains((2, 1, 3, 2), 2000)
    with contextlib.suppress(discrete_search.Spent):
        discrete_search.Evolution().search(problem, np.random.default_rng(0))
    assert problem.best == problem.known


def test_hashed_trigrams_are_unit_vectors_that_tell_documents_apart():
    codec = json_vectors.HashedTrigrams(512, ["a"], np.random.default_rng(0))
    one, near, far = (codec.encode({"a": text}) for text in ("kilometre", "kilometer", "potato"))
    assert np.linalg.norm(one) == pytest.approx(1)
    assert one @ near > one @ far


def test_sums_of_squares_certify_what_linearisation_cannot():
    pytest.importorskip("cvxpy")
    solver = lyapunov.SumOfSquares()
    solver.train((), (), 0, None)
    rng = np.random.default_rng(0)
    fields = [lyapunov.backward(rng).field for _ in range(12)]

    def solved(method):
        proposed = method.propose(fields, lyapunov.CANDIDATES)
        return np.mean([any(lyapunov.is_valid(v, f) for v in vs) for vs, f in zip(proposed, fields, strict=True)])

    assert solved(solver) > solved(lyapunov.QuadraticLMI()) + 0.2
