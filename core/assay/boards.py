"""What is said beside a leaderboard, as text: interquartile means, performance profiles, differences by example."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.render import WIDTH, number, table

if TYPE_CHECKING:
    from assay.across import Centres, Profile
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
