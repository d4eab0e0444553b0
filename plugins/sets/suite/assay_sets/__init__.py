"""The sets family: does building permutation symmetry into a network that reads or writes a set pay, and which way?"""

from __future__ import annotations

from assay import Dataset, Metric, Model, Schema, Suite, Task, hookimpl

from assay_sets import (
    baselines,
    digits,
    draws,
    metrics,
    point_clouds,
    relative_pose,
    scenes,
    set_statistics,
    shapes,
    view_sets,
    views,
)


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    question = (
        "Does building permutation symmetry into a network that reads or writes a set buy exactness, generalisation over "
        "set size and accuracy, compared with order-sensitive and plainly pooled models under one small budget, and "
        "which mechanism (pooling, attention, sorting) does it best?"
    )
    return [Suite("sets", "Sets", question)]


@hookimpl
def assay_tasks() -> list[Task]:
    """Return the family's arenas."""
    return [
        point_clouds.TASK,
        set_statistics.TASK,
        view_sets.TASK,
        relative_pose.TASK,
    ]


@hookimpl
def assay_schemas() -> list[Schema]:
    """Return the forms of data that a user can bring."""
    return [
        point_clouds.SCHEMA,
        set_statistics.SCHEMA,
        view_sets.SCHEMA,
        relative_pose.SCHEMA,
    ]


@hookimpl
def assay_datasets() -> list[Dataset]:
    """Return the family's data sets."""
    clouds, sets = point_clouds.SCHEMA.id, set_statistics.SCHEMA.id
    return [
        Dataset("shapes-3d", clouds, shapes.shapes_3d, title="ten 3-D surfaces, synthetic"),
        Dataset(
            "mnist-points", clouds, digits.mnist_points, title="MNIST digits as 2-D points", licence="CC BY-SA 3.0"
        ),
        Dataset("digit-sum", sets, digits.digit_sum, title="sum of digit images", licence="BSD (scikit-learn)"),
        Dataset(
            "unique-count", sets, digits.unique_count, title="number of distinct digits", licence="BSD (scikit-learn)"
        ),
        Dataset("set-max", sets, draws.set_max, title="maximum of numbers, synthetic"),
        Dataset("gauss-statistics", sets, draws.gauss_statistics, title="entropy of a Gaussian, synthetic"),
        Dataset("shape-views", view_sets.SCHEMA.id, views.shape_views, title="ten solids from unknown azimuths"),
        Dataset("shape-voxels", view_sets.SCHEMA.id, views.shape_voxels, title="voxels of ten solids, from views"),
        Dataset(
            "digit-glimpses",
            view_sets.SCHEMA.id,
            views.digit_glimpses,
            title="MNIST digits through small windows",
            licence="CC BY-SA 3.0",
        ),
        Dataset(
            "synthetic-scenes", relative_pose.SCHEMA.id, scenes.synthetic_scenes, title="matched points, synthetic"
        ),
    ]


@hookimpl
def assay_models() -> list[Model]:
    """Return the baselines."""
    return [
        *baselines.MODELS,
        *view_sets.BASELINES,
        *relative_pose.BASELINES,
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the family's metrics."""
    return [
        *metrics.METRICS,
        *relative_pose.METRICS,
    ]
