"""A finished cell is resumed, and only what changed its meaning makes it run again."""

import random
import sys

import assay
import numpy as np
import pytest


def ran(what="toy/line", **options) -> int:
    """Run and return the number of cells that were not resumed."""
    done = assay.run(what, seeds=2, **options)
    assert not done.failed
    return len(done) - done.resumed


def test_a_second_run_runs_nothing(toy):
    assert ran() == 2 * 2 * 4  # data sets, seeds, entrants
    assert ran() == 0


def test_force_runs_everything_again(toy):
    ran()
    assert ran(force=True) == 16


def test_more_seeds_run_only_the_new_ones(toy):
    ran()
    done = assay.run("toy/line", seeds=3)
    assert (len(done), done.resumed) == (24, 16)


def test_the_same_cell_twice_gives_bit_identical_metrics(toy):
    first = {r.digest: r.metrics for r in assay.run("toy/line", seeds=2, store="a.db").records}
    second = {r.digest: r.metrics for r in assay.run("toy/line", seeds=2, store="b.db").records}
    assert first == second and len(first) == 16


def test_metrics_do_not_depend_on_which_cells_ran_before(toy):
    together = {r.digest: r.metrics for r in assay.run("toy/line", seeds=2, store="a.db").records}
    alone = assay.run("toy/line", entrants=["line"], datasets=["clean"], seeds=[1], store="b.db").records
    assert alone[0].metrics == together[alone[0].digest]


def test_a_run_leaves_global_generators_and_threads_as_they_were(toy):
    torch = pytest.importorskip("torch")
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    assert ran() == 16
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)


def test_a_failing_entrant_leaves_threads_and_dtype_as_they_were(toy):
    torch = pytest.importorskip("torch")

    class Rude:
        def __init__(self, inputs):
            torch.set_default_dtype(torch.float64)
            raise RuntimeError("no")

    before = torch.get_num_threads()
    assert assay.run("toy/line", models={"rude": Rude}, entrants=["zero"], seeds=1).failed
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (before, torch.float32)


EDITS = {
    "a class of the paper": ("assay_mean.py", "self.shrink * y.mean()", "self.shrink * y.mean() + 0.1", 8),
    "the paper's own metric": ("assay_mean.py", 'float(outcome["mean"])', 'float(outcome["mean"]) * 2', 12),
    "the parameters of one entrant": ("assay_mean.py", '{"shrink": 0.5}', '{"shrink": 0.25}', 4),
    "one data set": ("assay_toy/line.py", "_draw(seed, noise=0.0)", "_draw(seed, noise=0.1)", 8),
    "a constant that data sets use": ("assay_toy/line.py", "SLOPE = 2.0", "SLOPE = 3.0", 16),
    "the recipe": ("assay_toy/recipe.py", "loss=0.0", "loss=1.0", 16),
    "a class that entrants inherit from": (
        "assay_toy/line.py",
        "return np.zeros(len(x))",
        "return np.zeros(len(x)) + 0",
        16,
    ),
    "the task's metric": ("assay_toy/measures.py", "** 2", "** 4", 16),
    "the bounds of a metric": ("assay_toy/__init__.py", 'bounds=(0, float("inf"))', "bounds=(0, 1000)", 16),
    "the budget of this scale": ("assay_toy/__init__.py", '"small": {"rounds": 2}', '"small": {"rounds": 3}', 16),
    "the budget of another scale": ("assay_toy/__init__.py", '"smoke": {"rounds": 1}', '"smoke": {"rounds": 3}', 0),
    "another task of the suite": ("assay_toy/sign.py", "np.ones(len(x))", "-np.ones(len(x))", 0),
    "another task's metric": ("assay_toy/measures.py", '== outcome["y"]', '!= outcome["y"]', 0),
    "a claim": ("assay_mean.py", "> 0.5, says", "> 0.7, says", 0),
    "a docstring": ("assay_mean.py", '"""Predicts the mean of y', '"""Answers the mean of y', 0),
    "a comment": ("assay_toy/line.py", "SLOPE = 2.0", "SLOPE = 2.0  # by convention", 0),
    "formatting": ("assay_toy/line.py", "noise * rng.normal(size=20)", "(noise\n        * rng.normal( size = 20 ))", 0),
    "titles": ("assay_toy/__init__.py", '"Toys"', '"Playthings"', 0),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_reruns_the_cells_whose_meaning_it_changes(toy, what):
    file, old, new, stale = EDITS[what]
    ran()
    toy.edit(file, old, new)
    assert ran() == stale


def test_editing_one_paper_leaves_another_papers_cells_alone(toy):
    source = (toy.folder / "assay_mean.py").read_text()
    source = (
        source.replace('"mean"', '"other"').replace('"half-mean"', '"other-half"').replace('"line",', '"other-line",')
    )
    toy.write(
        "assay-other", source.replace('"size_of_mean"', '"other_size"'), ["family:toy", "task:toy/line", "paper:other"]
    )
    assert ran() == 2 * 2 * 7
    toy.edit("assay_other.py", "1e-3", "2e-3")
    assert ran() == 2 * 2 * 1  # its one entrant that is made of this class


def test_editing_a_backend_reruns_only_what_ran_on_it(toy):
    toy.install("assay-backend-twin")
    assert ran(backend=["cpu", "twin"]) == 32
    toy.edit("assay_backend_twin.py", "return module\n", "module.seen = True\n    return module\n")
    assert ran(backend=["cpu", "twin"]) == 16


def test_a_failed_cell_runs_again(toy):
    class Fails:
        def __init__(self, inputs):
            raise ValueError("not today")

    for _ in range(2):
        done = assay.run("toy/line", models={"fails": Fails}, entrants=["zero"], datasets=["clean"], seeds=1)
        assert [r.reason for r in done.failed] == ["error: ValueError: not today"]


def test_a_record_names_the_distributions_that_it_rests_on(toy):
    (record,) = assay.run("toy/line", entrants=["mean"], datasets=["clean"], seeds=1).records
    assert record.environment["assay-toy"] == record.environment["assay-mean"] == "1.0"
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
