"""The numerics suite: its data by seed, its baselines at smoke, and oracles for what the papers' tests do not reach."""

import pickle

import assay
import numpy as np
import pytest
from assay import AssayError
from assay_numerics import ARENAS, hamming_shifts, linear_stream, point_sampling
from assay_numerics.common import no_source

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


@pytest.mark.parametrize(("arena", "dataset"), DATASETS, ids=lambda x: getattr(x, "id", ""))
def test_the_seed_alone_decides_the_data(arena, dataset):
    first, again, other = (content(dataset.load(seed, "smoke", None)) for seed in (3, 3, 4))
    assert first == again
    assert first != other or arena.__name__.endswith("discrete_search")  # the graphs' problem has no chance in it


@pytest.mark.parametrize("arena", ARENAS, ids=lambda arena: arena.TASK.id)
def test_every_baseline_runs_at_smoke_on_every_data_set(arena, tmp_path):
    done = assay.run(arena.TASK.id, entrants=arena.TASK.baselines, seeds=1, scale="smoke", store=str(tmp_path / "r.db"))
    assert not done.failed
    assert len(done) == len(arena.TASK.baselines) * len(arena.DATASETS)
    assert all(set(arena.TASK.metrics) & {k.partition("[")[0] for k in r.metrics} for r in done.records)


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
