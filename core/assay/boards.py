"""What is said beside a leaderboard, as text: interquartile means, performance profiles, differences, backends."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.by_backend import RATIOS
from assay.render import WIDTH, number, seconds, table

if TYPE_CHECKING:
    from assay.across import Centres, Profile
    from assay.by_backend import Comparison, Interval
    from assay.resampling import Difference


def centres(found: Centres) -> str:
    """Return interquartile means as a table."""
    where = ", ".join(name.partition("/")[2] or name for name in found.datasets)
    unit = " (0 the worst, 1 the best value on each data set)" if found.scaled else ""
    rows = [[row.entrant, number(row.mean), f"[{number(row.low)}, {number(row.high)}]"] for row in found.rows]
    lines = textwrap.wrap(f"Interquartile mean of {found.metric} over seeds and {where}{unit}", WIDTH)
    lines += [table(["entrant", "IQM", "95 % bootstrap interval"], rows, right=(1,))] if rows else []
    if found.left_out:
        lines += textwrap.wrap(f"left out, as not measured on every data set: {', '.join(found.left_out)}", WIDTH)
    return "\n".join(lines)


def profile(found: Profile) -> str:
    """Return performance profiles as a table: a column a factor."""
    if found.reason:
        return f"no performance profile: {found.reason}"
    rows = [[name, *(f"{100 * share:.0f}" for share in shares)] for name, shares in found.shares.items()]
    head = f"Share (%) of {len(found.datasets)} data sets with {found.metric} within this factor of the best"
    header = ["entrant", *(f"{tau:g}" for tau in found.taus)]
    return "\n".join([head, table(header, rows, right=range(1, len(header)))])


def differences(dataset: str, found: Sequence[Difference]) -> str:
    """Return how the best entrant differs from the others, by source of the uncertainty."""
    if not found:
        return f"{dataset}: one entrant only"
    rows = [
        [
            f"- {d.b}",
            number(d.effect),
            *("[{}, {}]".format(*map(number, i)) for i in (d.over_seeds, d.over_examples, d.over_both)),
            "-" if math.isnan(d.split.share) else f"{100 * d.split.share:.0f} %",
            f"{sum(m.p <= 0.05 for m in d.mcnemar)} of {len(d.mcnemar)}" if d.mcnemar else "-",
        ]
        for d in found
    ]
    header = [found[0].a, "differs by", "over seeds", "over examples", "over both", "test set", "McNemar"]
    kind = "the same at every seed" if found[0].fixed_test_set else "drawn anew at every seed"
    note = (
        f"95 % intervals of the difference: t over seeds, paired bootstrap over examples, hierarchical bootstrap. test "
        f"set: the share of the variance that is due to the finite test set ({kind}), the rest is seeds. McNemar: seeds "
        "whose two trained entrants differ (exact, Holm)."
    )
    return "\n".join([f"{dataset}, example by example", table(header, rows, right=(1, 5)), *textwrap.wrap(note, WIDTH)])


def backends(found: Comparison) -> str:
    """Return an arena's entrants on each backend as a table, a line a backend, with its notes and failures."""
    costs = [cost for cost in RATIOS if any(cost in line.ratios for line in found.lines)]
    compiled = any(line.compile_seconds is not None for line in found.lines)
    roofed = any(line.roofline_share is not None for line in found.lines)
    header = ["entrant", "backend", "seeds", found.metric, f"- {found.reference}"]
    header += (
        [f"{cost.removeprefix('peak_').removesuffix('_seconds')} x" for cost in costs]
        + ["spread"]
        + ["compile s"] * compiled
        + ["roof"] * roofed
    )
    rows, last = [], ""
    for line in found.lines:
        row = [line.entrant if line.entrant != last else "", line.backend, str(line.seeds)]
        row += [_interval(line.metric), _interval(line.difference), *(_interval(line.ratios.get(c)) for c in costs)]
        row += [_share(line.forward_spread)]
        row += [seconds(line.compile_seconds)] * compiled + [_share(line.roofline_share)] * roofed
        rows.append(row)
        last = line.entrant
    where = f"{found.task} on {found.dataset.partition('/')[2] or found.dataset}"
    unit = f" ({found.unit})" if found.unit else ""
    lines = [f"{where}: {found.metric}{unit} by backend, {found.scale}", table(header, rows)]
    lines += [
        f"  {line.entrant} @{line.backend}: {text.splitlines()[0]}" for line in found.lines for text in line.failures
    ]
    note = (
        f"Differences to {found.reference} and ratios over it are paired by seed, with 95 % t intervals (of the "
        "logarithms for ratios), none corrected for other comparisons. forward: a timed call of the trained module; "
        "spread: interquartile range over median of its calls. compile s: apart from fit and predict."
        + (" roof: share of what `assay doctor --roofline` found attainable." if roofed else "")
    )
    lines += textwrap.wrap(note, WIDTH)
    named = {backend: ", ".join(names) for backend, names in found.devices.items() if names}
    same = len(set(named.values())) == 1
    lines += (
        [f"on {next(iter(named.values()))}"] if same else [f"{backend} on {name}" for backend, name in named.items()]
    )
    return "\n".join([*lines, *found.notes])


def _interval(found: Interval | None) -> str:
    if found is None:
        return "-"
    interval = "" if math.isnan(found.low) else f" [{number(found.low, 2)}, {number(found.high, 2)}]"
    return f"{number(found.value)}{interval}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
