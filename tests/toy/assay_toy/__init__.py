"""A suite in miniature, without torch: fit a line, or tell a sign."""

from assay import Dataset, Metric, Model, Schema, Suite, Task, hookimpl

from assay_toy import line, sign
from assay_toy.measures import share_right, squared_error


@hookimpl
def assay_suites() -> list[Suite]:
    return [Suite("toy", "Toys", "Do the rooms fit together?")]


@hookimpl
def assay_tasks() -> list[Task]:
    budgets = {"smoke": {"rounds": 1}, "small": {"rounds": 2}}
    return [
        Task(
            "toy/line",
            schema="toy-pairs",
            run=line.run,
            metrics=("squared_error",),
            dataset="noisy",
            contract="build(inputs) gives fit(x, y) and predict(x)",
            budgets=budgets,
            baselines=("zero",),
            conditions={"shift": (1.0, 2.0)},
        ),
        Task(
            "toy/sign",
            schema="toy-signs",
            run=sign.run,
            metrics=("share_right",),
            dataset="signs",
            contract="build() gives predict(x)",
            budgets=budgets,
        ),
    ]


@hookimpl
def assay_schemas() -> list[Schema]:
    return [Schema("toy-pairs", {"x": "float64[n,D]", "y": "float64[n]"}, line.split)]


@hookimpl
def assay_datasets() -> list[Dataset]:
    return [
        Dataset("noisy", "toy-pairs", line.noisy),
        Dataset("clean", "toy-pairs", line.clean),
        Dataset("signs", "toy-signs", sign.signs),
    ]


@hookimpl
def assay_models() -> list[Model]:
    return [Model("zero", "toy/line", line.Zero), Model("always", "toy/sign", sign.Always)]


@hookimpl
def assay_metrics() -> list[Metric]:
    return [
        Metric("squared_error", squared_error, ("prediction", "y"), "down", "y^2", bounds=(0, float("inf"))),
        Metric("share_right", share_right, ("prediction", "y"), "up", "fraction", bounds=(0, 1)),
    ]
