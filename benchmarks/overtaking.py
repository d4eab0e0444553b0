"""At which size an algorithm of the numerics family overtakes the plain way, in counted work and in processor time.

    python benchmarks/overtaking.py [NAME ...]

Names: hamming, adasketch, relax, dpp, mbat, mma, tnale; all without. Prints a Markdown table a name; the least processor
time of some repetitions, both sides in one run, on seeds that no claim is judged by.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

SEED = 2000


def seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    """Return the least processor seconds of a call."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as they come."""
    print(f"\n**{title}**\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(f'{x:.3g}' if isinstance(x, float) else str(x) for x in row)} |", flush=True)


def hamming() -> None:
    """Each symbol its cheaper way, against one way for all and comparison of everything."""
    from assay_hamming_distances import Cheapest
    from assay_numerics.hamming_shifts import Abrahamson, BruteForce, PerSymbolFFT, Work, balanced, letters

    def rows(load: Any) -> Iterable[Sequence[Any]]:
        data = load(SEED, "small")
        for m, pattern in data.patterns.items():
            cells: list[Any] = [m]
            for algorithm in (Cheapest(), Abrahamson(), PerSymbolFFT(), BruteForce()):
                work = Work()
                took = seconds(
                    lambda a=algorithm, w=work, m=m, p=pattern: a.distances(
                        data.texts[m], p, 1, w, np.random.default_rng(0)
                    ),
                    2,
                )
                cells += [work.operations / 2e6, took]
            yield cells

    header = ["m"]
    for name in ("cheapest", "Abrahamson", "FFT a symbol", "brute force"):
        header += [f"{name}, million operations", "s"]
    table("hamming-distances: balanced alphabet of sqrt(m), n = 40,000", header, rows(balanced))
    table("hamming-distances: four letters, n = 40,000", header, rows(letters))


def adasketch() -> None:
    """Row sketches of a Newton system to a relative residual, against the dense solve."""
    from assay_adasketch_newton import Sketch
    from assay_numerics.equality_nlp import Trace, newton_matrix

    def rows() -> Iterable[Sequence[Any]]:
        for n in (8, 16, 32, 64, 128, 256, 512, 1024):
            rng = np.random.default_rng(SEED)
            root, jacobian = rng.standard_normal((n, 2 * n)), rng.standard_normal((n // 4, n)) / np.sqrt(n)
            matrix = newton_matrix(root @ root.T / (2 * n) + np.eye(n), jacobian)
            g, k = rng.standard_normal(len(matrix)), len(matrix)
            cells: list[Any] = [k, float(np.linalg.cond(matrix)), 2 / 3 * k**3 / 1e6]
            for target in (0.1, 1e-3):
                trace = Trace()
                sketch = Sketch(matrix, g, 0, np.random.default_rng(0), trace)
                sketch.patience = 2_000_000
                sketch.until(target * float(np.linalg.norm(g)))
                cells.append(trace.operations / 1e6)
            yield cells

    header = ["order", "condition", "dense solve, MFLOP", "sketches to 0.1, MFLOP", "to 0.001, MFLOP"]
    table("adasketch-newton: well-conditioned KKT systems", header, rows())


def relax() -> None:
    """The bandits against omegas that a user would fix, by the length of the stream."""
    from assay_learning_to_relax import ChebCB, TsallisINF
    from assay_numerics.linear_stream import LENGTHS, shifted_laplacian, widely_shifted_laplacian

    def rows(load: Any) -> Iterable[Sequence[Any]]:
        data = load(SEED, "small")
        costs, contexts = data.iterations, data.context
        shifts = (float(contexts.min()), float(contexts.max()))
        paid = []
        for build in (TsallisINF, ChebCB):
            policy, taken = build(data.omegas, shifts, data.side, np.random.default_rng(0)), []
            for row, context in zip(costs.tolist(), contexts.tolist(), strict=True):
                arm = policy.choose(context)
                policy.update(arm, row[arm])
                taken.append(row[arm])
            paid.append(np.array(taken))
        middle = int(np.abs(data.omegas - 1.5).argmin())
        for length in LENGTHS:
            fixed = costs[:length].mean(0)
            yield [
                length,
                *(float(p[:length].mean()) for p in paid),
                float(fixed[0]),
                float(fixed[middle]),
                float(fixed.min()),
                float(costs[:length].min(1).mean()),
                *(float(p[max(0, length - 1000) : length].mean()) for p in paid),
            ]

    header = ["systems", "Tsallis-INF", "ChebCB", "omega 1", "omega 1.5", "best fixed", "best each"]
    header += ["Tsallis-INF, last 1,000", "ChebCB, last 1,000"]
    table("learning-to-relax: mean iterations, shifted Laplacians", header, rows(shifted_laplacian))
    table("learning-to-relax: mean iterations, widely shifted", header, rows(widely_shifted_laplacian))


def dpp() -> None:
    """Points until nine draws of ten are stable, and until the mean error is twice the best."""
    from assay_dpp_least_squares import Sampler, lowest
    from assay_numerics.point_sampling import christoffel, legendre

    def rows() -> Iterable[Sequence[Any]]:
        features = legendre(SEED, "small").features
        for m in (5, 10, 20, 40):
            phi, cells = np.ascontiguousarray(features[:, :m]), [m]
            for points in ("repeated", "volume", "independent"):
                for times in range(1, 40):
                    index, _ = Sampler(points).sample(phi, times * m, 200, np.random.default_rng(times))
                    if (lowest(phi, christoffel(phi), index) < 0.5).mean() <= 0.1:
                        break
                cells.append(times)
            yield cells

    header = ["m", "repeated DPP, n / m", "volume sampling, n / m", "independent, n / m"]
    table("dpp-least-squares: points until at most a tenth of draws is unstable", header, rows())


def mbat() -> None:
    """Fast Hadamard rotations against dense ones."""
    from assay_mbat_json import DenseRotations, HadamardRotations

    def rows() -> Iterable[Sequence[Any]]:
        for dimension in (64, 128, 256, 512, 1024, 2048):
            rng, cells = np.random.default_rng(SEED), [dimension]
            v = rng.standard_normal(dimension)
            for kind in (DenseRotations, HadamardRotations):
                made = kind(dimension, ["a"], rng)
                cells.append(1e6 * seconds(lambda made=made, v=v: [made.bind("a", v) for _ in range(100)]) / 100)
            yield cells

    table("mbat-json: a binding, microseconds", ["D", "dense", "Hadamard"], rows())


def mma() -> None:
    """A vineyard along the lines against the barcode of each, by this suite and by gudhi."""
    from assay_mma_multipersistence import MMA
    from assay_numerics.bifiltrations import GudhiLines, NearestLine, Work, density_rips, grid

    def rows() -> Iterable[Sequence[Any]]:
        data = density_rips(SEED, "small")
        for delta in (0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001):
            lines, work, again = grid(delta), Work(), Work()
            MMA().approximate(data, lines, work)
            NearestLine().approximate(data, lines, again)
            methods = (MMA(), NearestLine(), GudhiLines())
            took = [seconds(lambda m=m, lines=lines: m.approximate(data, lines, Work()), 2) for m in methods]
            yield [delta, len(lines), work.additions, again.additions, *took]

    header = [
        "delta",
        "lines",
        "vineyard, additions",
        "each line, additions",
        "vineyard, s",
        "each line, s",
        "gudhi, s",
    ]
    table("mma-multipersistence: components of 24 points", header, rows())


def tnale() -> None:
    """Evaluations to the planted ranks."""
    from assay_numerics.discrete_search import Descent, Evolution, Spent, planted_chains
    from assay_tnale import TNLS, TnALE

    def rows() -> Iterable[Sequence[Any]]:
        for size in (4, 6, 8, 10, 12, 40, 120):
            cells: list[Any] = [size]
            for searcher in (TnALE(), TNLS(), Descent(), Evolution()):
                counts = []
                for seed in range(SEED, SEED + 3):
                    problem = planted_chains(seed, "small").make(size)
                    with contextlib.suppress(Spent):
                        searcher.search(problem, np.random.default_rng(seed))
                    counts.append(problem.reached())
                cells.append(float(np.mean(counts)))
            yield cells

    header = ["ranks", "TnALE", "TNLS", "coordinate descent", "differential evolution"]
    table("tnale: evaluations until the planted ranks are found, 20,000 where they were not", header, rows())


ALL = (hamming, adasketch, relax, dpp, mbat, mma, tnale)


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - {f.__name__ for f in ALL}
    if unknown:
        sys.exit(f"no comparison is named {', '.join(sorted(unknown))}: there are {', '.join(f.__name__ for f in ALL)}")
    for function in ALL:
        if len(sys.argv) == 1 or function.__name__ in sys.argv[1:]:
            function()
