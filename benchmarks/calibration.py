"""Measures how often assay's verdicts are wrong, by simulation of what seeds could give.

    python benchmarks/calibration.py                          print the tables
    python benchmarks/calibration.py --into docs/verdicts.md  put them between the marks in the docs

Every number comes from the functions that `assay verify` calls: `stats.above`, `between`, `trend` and `judge`. Seeds of
the simulation are fixed, so that the same code gives the same table. About two minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from assay import Claim, score, stats
from assay.verdicts import Sample, judge
from numpy.typing import NDArray

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
ALPHA = 0.05
SEEDS = (3, 5, 10, 20)
REPEATS = 10_000
PAPERS = 1_500
"""Simulated papers where every verdict goes through `judge`."""

SHAPES: dict[str, tuple[Draw, float, float]] = {
    "normal": (lambda g, s: g.normal(0, 1, s), 0.0, 1.0),
    "skewed": (lambda g, s: g.exponential(1, s), 1.0, 1.0),
    "heavy-tailed": (lambda g, s: g.standard_t(3, s), 0.0, 3**0.5),
    "bounded": (lambda g, s: g.beta(9, 1, s), 0.9, (9 / 1100) ** 0.5),
    "tied": (lambda g, s: g.binomial(20, 0.9, s) / 20, 0.9, (0.09 / 20) ** 0.5),
}
"""What one seed gives: its draw, mean and standard deviation. Exponential; Student's t with 3 degrees of freedom;
beta(9, 1), which piles up at its bound 1; an accuracy of 0.9 on 20 examples."""
A, B = score("m", task="t/t")("a"), score("m", task="t/t")("b")


def rows(paired: bool) -> Iterator[list[str]]:
    """Yield a row for each shape and number of seeds: of a difference of two entrants, or of one entrant's mean."""
    for i, (name, (draw, mean, sd)) in enumerate(SHAPES.items()):
        for n in SEEDS:
            rng = np.random.default_rng([i, n, paired])
            x = draw(rng, (REPEATS, n))
            truth, spread = (0.0, sd * 2**0.5) if paired else (mean, sd)
            if paired:
                x = x - draw(rng, (REPEATS, n))
            effect = stats.detectable(spread, n, ALPHA)
            at_bound = [stats.above(row, truth, ALPHA) for row in x]
            shifted = [stats.above(row, truth - effect, ALPHA) for row in x]
            yield [
                name,
                str(n),
                percent(t.p_holds <= ALPHA / 2 for t in at_bound),
                percent(t.p_fails <= ALPHA / 2 for t in at_bound),
                percent(t.low <= truth <= t.high for t in at_bound if t.method == "paired t"),
                percent(t.p_holds <= ALPHA / 2 for t in shifted),
            ]


def other_forms() -> Iterator[list[str]]:
    """Yield a row for each claim form and procedure that is more than one t test, under normal seeds."""
    rng = np.random.default_rng(99)
    for n in (5, 20):
        edge = rng.normal(1.0, 0.3, (REPEATS, n))
        yield ["`within`, truth on its edge", str(n), holds(stats.between(x, -1.0, 1.0, ALPHA) for x in edge)]
    levels = rng.normal(0, 1, (1000, 5, 4))
    yield ["`trend` of noise over 4 levels", "5", holds(stats.trend(x, ALPHA) for x in levels)]
    parts = rng.normal(0, 1, (REPEATS, 2, 5)) + np.array([0.0, 5.0])[:, None]
    yield ["`&` of a true and a false part", "5", holds(stats.both([one(p) for p in x]) for x in parts)]
    yield ["3 false claims, any verdict at all (Holm)", "5", percent(any(f) for f in families(rng))]
    yield ["looks at 5, 10, 20 seeds, any false `holds`", "20", percent(sequential(rng))]


def families(rng: np.random.Generator) -> Iterator[list[bool]]:
    """Yield for each simulated paper of three claims at their bounds which of them were decided."""
    claims = [Claim(f"c{i}", A - B > 0.0, says="") for i in range(3)]
    for _ in range(PAPERS):
        found = judge(claims, {c.id: samples(rng, 5) for c in claims})
        yield [v.outcome != "inconclusive" for v in found]


def sequential(rng: np.random.Generator, looks: tuple[int, ...] = (5, 10, 20)) -> Iterator[bool]:
    """Yield for each simulated claim at its bound whether any look made it hold."""
    claim = Claim("c", A - B > 0.0, says="")
    levels = stats.spend(ALPHA, looks)
    for _ in range(PAPERS):
        whole = samples(rng, looks[-1])
        yield any(
            judge([claim], {"c": first(whole, n)}, alpha=level)[0].outcome == "holds"
            for n, level in zip(looks, levels, strict=True)
        )


def samples(rng: np.random.Generator, n: int) -> dict:
    """Return two entrants without a difference; what they share at a seed is three times what they do not."""
    shared = rng.normal(0, 3, n)
    return {s: Sample(dict(enumerate(shared + rng.normal(0, 1, n)))) for s in (A, B)}


def first(whole: dict, n: int) -> dict:
    return {s: Sample({k: v for k, v in sample.values.items() if k < n}) for s, sample in whole.items()}


def one(x: Array) -> stats.Test:
    return stats.above(x, 0.0, ALPHA)


def holds(tests: Iterator[stats.Test]) -> str:
    return percent(t.p_holds <= ALPHA / 2 for t in tests)


def percent(answers: Iterator[bool]) -> str:
    found = list(answers)
    return f"{100 * sum(found) / len(found):.1f}"


def markdown(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report() -> str:
    """Return all tables as Markdown. Numbers beyond their limits are in bold."""
    header = ["one seed is", "seeds", "false `holds`, >", "false `holds`, <", "coverage", "power"]
    parts = []
    for paired, title in ((True, "A difference of two entrants"), (False, "The mean of one entrant")):
        body = [flagged(row) for row in rows(paired)]
        parts.append(f"**{title}** (%, {REPEATS:,} simulations a row)\n\n{markdown(header, body)}")
    body = [[*row[:2], bold(row[2], float(row[2]) > 5.0 + 1.7)] for row in other_forms()]
    parts.append(f"**Other forms, normal seeds** (%)\n\n{markdown(['what', 'seeds', 'false'], body)}")
    return "\n\n".join(parts)


def flagged(row: list[str]) -> list[str]:
    up, down, coverage, power = map(float, row[2:])
    beyond = (up > 5.5, down > 5.5, abs(coverage - 95) > 1, power < 79)
    return [*row[:2], *(bold(cell, bad) for cell, bad in zip(row[2:], beyond, strict=True))]


def bold(text: str, bad: bool) -> str:
    return f"**{text}**" if bad else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", metavar="FILE", help="replace what stands between the calibration marks of a file")
    args = parser.parse_args()
    start = time.perf_counter()
    text = report()
    print(text)
    print(f"\n{time.perf_counter() - start:.0f} s")
    if args.into:
        path = Path(args.into)
        before, mark, rest = path.read_text(encoding="utf-8").partition("<!-- calibration -->\n")
        _, end, after = rest.partition("<!-- /calibration -->")
        if not mark or not end:
            raise SystemExit(f"{path}: no marks <!-- calibration --> and <!-- /calibration -->")
        path.write_text(f"{before}{mark}{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
