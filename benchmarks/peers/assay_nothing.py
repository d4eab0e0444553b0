"""The least work that assay can be given: the number 0.5, measured."""

from assay import Dataset, Metric, Model, Task, hookimpl


def run(entrant, data, ctx):
    return {"value": data}


def load(seed, scale, source):
    return 0.5


def value(outcome) -> float:
    return outcome["value"]


@hookimpl
def assay_tasks():
    budgets = {"small": {}}
    return [Task("nothing/task", "numbers", run, ("value",), "numbers", "build() is not called", budgets)]


@hookimpl
def assay_datasets():
    return [Dataset("numbers", "numbers", load)]


@hookimpl
def assay_models():
    return [Model("nothing", "nothing/task", dict)]


@hookimpl
def assay_metrics():
    return [Metric("value", value, ("value",), "up", "")]
