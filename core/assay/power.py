"""What the seeds that were run could have shown, and how many seeds a claim would need."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from assay.stats import detectable, seeds_needed
from assay.verdicts import Verdict

MOST = 10_000
"""Seeds beyond which no number is given."""


@dataclass(frozen=True)
class Power:
    """The power of a claim's t test at its corrected level.

    `distance` is that of the effect from the bound, `detectable` the smallest that the seeds run show with the power
    asked for (both on logarithms for a ratio), `needed` the seeds that show the distance seen at the variance seen:
    None when there are more than MOST or none would do. `reason` says why there are no numbers.
    """

    claim: str
    outcome: str
    seeds: int
    distance: float = math.nan
    detectable: float = math.nan
    needed: int | None = None
    reason: str = ""

    @property
    def needed_text(self) -> str:
        """The seeds needed as a table shows them."""
        if self.reason:
            return self.reason
        return str(self.needed) if self.needed else f"over {MOST}"


def powers(verdicts: Iterable[Verdict], share: float = 0.8) -> list[Power]:
    """Return the power of each verdict's test; `share` is the probability with which an effect shall be shown.

    Normal theory (noncentral t) at the level that Holm's correction left to the claim. For a conjunction it is that of
    the weakest part, for a tolerance that of its nearer edge.
    """
    found = []
    for verdict in verdicts:
        test, seeds = verdict.test, len(verdict.per_seed)
        if test.certain:
            found.append(Power(verdict.claim.id, verdict.outcome, seeds, reason="none: exact"))
        elif math.isnan(test.sd) or test.method == "Page's trend":
            reason = "run it first" if not seeds else "2 at least" if seeds == 1 else f"unknown: {test.method}"
            found.append(Power(verdict.claim.id, verdict.outcome, seeds, reason=reason))
        else:
            distance = abs(test.standardised)
            needed = seeds_needed(distance, 1.0, verdict.level, share, MOST)
            least = detectable(test.sd, seeds, verdict.level, share)
            found.append(Power(verdict.claim.id, verdict.outcome, seeds, distance * test.sd, least, needed))
    return found
