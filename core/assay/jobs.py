"""The jobs of a plan, each made when it is asked for, so that a plan of any length takes no room."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

from assay.cell import Job
from assay.digest import entry_at


class Jobs(Sequence[Job]):
    """A read-only sequence of the jobs of some entries at some seeds; no two have the same digest.

    An entry is a job at seed 0 with the digest that its seeds share. `groups` are entries that share their data: the
    sequence goes through a group seed by seed, so that neighbours load the same data.
    """

    def __init__(self, groups: Sequence[Sequence[Job]], seeds: Sequence[int]) -> None:
        self._groups = [list({entry.digest: entry for entry in group}.values()) for group in groups]
        self._seeds = seeds
        self._ends = list(itertools.accumulate(len(group) * len(seeds) for group in self._groups))

    def keeping_examples(self, folder: str) -> Jobs:
        """Return the same jobs, which keep the scores of single examples in a folder."""
        return Jobs([[entry._replace(examples=folder) for entry in group] for group in self._groups], self._seeds)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, place: int) -> Job: ...
    @overload
    def __getitem__(self, place: slice) -> list[Job]: ...
    def __getitem__(self, place: int | slice) -> Job | list[Job]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        at = bisect.bisect_right(self._ends, place)
        seed, entry = divmod(place - self._ends[at] + len(self._groups[at]) * len(self._seeds), len(self._groups[at]))
        return at_seed(self._groups[at][entry], self._seeds[seed])

    def __iter__(self) -> Iterator[Job]:
        return (at_seed(entry, seed) for group in self._groups for seed in self._seeds for entry in group)


def at_seed(entry: Job, seed: int) -> Job:
    """Return the job of an entry at a seed."""
    return entry._replace(cell=replace(entry.cell, seed=seed), digest=entry_at(entry.digest, seed))
