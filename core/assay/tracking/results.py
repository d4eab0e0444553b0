"""What asv keeps of a checkout, as tracks: one quantity of one entrant on one data set, over commits."""

from __future__ import annotations

import itertools
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.tracking.checkout import needs_asv, projects, root

CORE = "assay"
"""Stands for entrant and paper in the tracks of the core itself."""


@dataclass(frozen=True)
class Track:
    """One quantity over commits.

    Attributes:
        name: `error`, `flops`, `parameters`, `time_fit`, `time_predict`, `peakmem_fit`, or a benchmark of the core.
        paper: Whose entrant it is; the distribution's name for a suite's baseline.
        entrant: The entrant's id.
        dataset: The data set's id, empty for the core.
        benchmark: asv's name of it.
        environment: asv's name of the environment: values of two are never compared.
        unit: `seconds`, `bytes`, or another.
        samples: By commit one value a round; None where it failed. A commit at which it does not exist is left out.
    """

    name: str
    paper: str
    entrant: str
    dataset: str
    benchmark: str
    environment: str
    unit: str
    samples: Mapping[str, tuple[float, ...] | None]

    @property
    def noisy(self) -> bool:
        """Whether it varies with the machine and not with the code alone."""
        return self.name.startswith(("time_", "peakmem_"))


def owners() -> dict[tuple[str, str], str]:
    """Return the paper of each entrant, or the suite of a baseline, by (task, entrant): from the plugins' keywords."""
    found = {}
    for project in projects():
        words = [word.partition(":")[::2] for word in project.get("keywords", ())]
        owner = dict(words).get("paper") or project["name"]
        for kind, place in words:
            if kind == "model":
                task, _, name = place.rpartition("/")
                found[task, name] = owner
    return found


def tracks(machine: str = "") -> tuple[list[Track], set[str]]:
    """Return all tracks of a machine, of this one without a name, and the commits that have results.

    A commit of which nothing could be measured, as when it cannot be built, has results and a value of None in each track.
    """
    needs_asv()
    from asv.benchmarks import Benchmarks
    from asv.config import Config
    from asv.results import iter_results_for_machine

    config = Config.load(str(root() / "asv.conf.json"))
    folder = root() / config.results_dir
    if not (folder / "benchmarks.json").exists():
        return [], set()
    config.results_dir = str(folder)
    benchmarks = Benchmarks.load(config)
    papers = owners()
    classes = {class_name(task): task for task, _ in papers}
    values: dict[tuple[str, str, str, str], dict[str, tuple[float, ...] | None]] = {}
    for result in iter_results_for_machine(str(folder), machine or platform.node()):
        for key in result.get_result_keys(benchmarks):
            for entrant, dataset, sample in _samples(result, key):
                place = (result.env_name, key, entrant, dataset)
                values.setdefault(place, {})[result.commit_hash] = sample
    found = []
    for (environment, key, entrant, dataset), samples in values.items():
        if any(samples.values()):
            task = classes.get(key.split(".")[-2], "")
            paper = CORE if entrant == CORE else papers.get((task, entrant), "?")
            name = key.rpartition(".")[2].removeprefix("track_")
            unit = benchmarks[key].get("unit", "")
            found.append(Track(name, paper, entrant, dataset, key, environment, unit, samples))
    return found, {commit for samples in values.values() for commit in samples}


def class_name(task: str) -> str:
    """Return the name of the class that benchmarks a task: `SetsPointClouds` for `sets/point-clouds`."""
    return "".join(part.capitalize() for part in task.replace("/", "-").split("-"))


def rounds(found: Sequence[Track], environment: str, papers: Sequence[str]) -> dict[str, int]:
    """Return by commit how many rounds it has of some papers, of all and the core when none is named.

    A commit at which the papers do not exist yet is left out.
    """
    counted: dict[str, int] = {}
    for track in found:
        if track.environment == environment and (not papers or track.paper in papers):
            for commit, samples in track.samples.items():
                counted[commit] = max(counted.get(commit, 0), len(samples or ()))
    return counted


def _samples(result: Any, key: str) -> list[tuple[str, str, tuple[float, ...] | None]]:
    """Return (entrant, data set, samples) of one benchmark at one commit, without what does not exist there."""
    params = result.get_result_params(key)
    places = list(itertools.product(*params)) if params else [()]
    values = result.get_result_value(key, params)
    samples = result.get_result_samples(key, params)
    found: list[tuple[str, str, tuple[float, ...] | None]] = []
    for place, value, sample in zip(places, values, samples, strict=True):
        entrant, dataset = (text.strip("'") for text in place) if place else (CORE, "")
        if value is None:
            found.append((entrant, dataset, None))
        elif not math.isnan(value):
            found.append((entrant, dataset, tuple(sample or (value,))))
    return found
