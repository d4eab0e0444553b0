"""The sets family: does building permutation symmetry into a network that reads or writes a set pay, and which way?"""

from __future__ import annotations

from assay import Dataset, Metric, Model, Schema, Suite, Task, hookimpl

from assay_sets import (
    baselines,
    baselines_orders,
    baselines_parts,
    baselines_subsets,
    convex_hull,
    digits,
    draws,
    hulls,
    metrics,
    multisets,
    orders,
    permutation_recovery,
    point_clouds,
    point_parts,
    relative_pose,
    scenes,
    set_statistics,
    shapes,
    star,
    subset_selection,
    subsets,
    sum_embedding,
    variable_order,
    view_sets,
    views,
)

FINDINGS = """
Symmetry by construction is exact, to 1e-12 in every entrant that claims it, and it pays: on shuffled clouds Deep Sets is 49
points above an order-sensitive network, and on sums of 50 digits its error is 138 below that of a recurrent net. Which
pooling is best depends on the target: the sum for sums, the maximum for maxima and for clouds (PointNet's is 6 points above
its rivals), and the one learned pooling tried, FSPool, equals a sum in summing without clearly beating it in finding maxima.
Attention among elements pays where elements must be compared (20 points in counting distinct digits, 10 in sorting images
with a transformer before the scores, 5 in recognising objects from views), but not everywhere: on clouds 256 random
features and a ridge classifier reach 0.75, which the set transformer (0.70) does not pass. Whatever learns from part of its
input or in stages is behind under an equal budget: UMBC, on gradients of one chunk, by 19 points, AttSets, in two stages, by
11, and INSET's view of the superset shows no gain. Where the output is an order its form decides more than iteration does:
generalised Plackett-Luce scores put 74 % of jigsaws together and plain ones 6 %, pointing is 44 points above a fixed
dictionary, while Sinkhorn rounds, process steps and steps of diffusion are worth a point or two at this size.
"""


@hookimpl
def assay_suites() -> list[Suite]:
    """Return the family."""
    question = (
        "Does building permutation symmetry into a network that reads or writes a set buy exactness, generalisation over "
        "set size and accuracy, compared with order-sensitive and plainly pooled models under one small budget, and "
        "which mechanism (pooling, attention, sorting) does it best?"
    )
    return [Suite("sets", "Sets", question, FINDINGS)]


@hookimpl
def assay_tasks() -> list[Task]:
    """Return the family's arenas."""
    return [
        point_clouds.TASK,
        point_parts.TASK,
        set_statistics.TASK,
        permutation_recovery.TASK,
        convex_hull.TASK,
        subset_selection.TASK,
        sum_embedding.TASK,
        variable_order.TASK,
        view_sets.TASK,
        relative_pose.TASK,
    ]


@hookimpl
def assay_schemas() -> list[Schema]:
    """Return the forms of data that a user can bring."""
    return [
        point_clouds.SCHEMA,
        point_parts.SCHEMA,
        set_statistics.SCHEMA,
        permutation_recovery.SCHEMA,
        convex_hull.SCHEMA,
        subset_selection.SCHEMA,
        sum_embedding.SCHEMA,
        variable_order.SCHEMA,
        view_sets.SCHEMA,
        relative_pose.SCHEMA,
    ]


@hookimpl
def assay_datasets() -> list[Dataset]:
    """Return the family's data sets."""
    clouds, sets = point_clouds.SCHEMA.id, set_statistics.SCHEMA.id
    items, choices = permutation_recovery.SCHEMA.id, subset_selection.SCHEMA.id
    return [
        Dataset("shapes-3d", clouds, shapes.shapes_3d, title="ten 3-D surfaces, synthetic"),
        Dataset(
            "mnist-points", clouds, digits.mnist_points, title="MNIST digits as 2-D points", licence="CC BY-SA 3.0"
        ),
        Dataset(
            "composite-parts", point_parts.SCHEMA.id, shapes.composite_parts, title="two touching solids, synthetic"
        ),
        Dataset("digit-sum", sets, digits.digit_sum, title="sum of digit images", licence="BSD (scikit-learn)"),
        Dataset(
            "unique-count", sets, digits.unique_count, title="number of distinct digits", licence="BSD (scikit-learn)"
        ),
        Dataset("set-max", sets, draws.set_max, title="maximum of numbers, synthetic"),
        Dataset("gauss-statistics", sets, draws.gauss_statistics, title="entropy of a Gaussian, synthetic"),
        Dataset("float-sort", items, orders.float_sort, title="numbers to sort, synthetic"),
        Dataset("digit-sort", items, orders.digit_sort, title="two-digit images to sort", licence="BSD (scikit-learn)"),
        Dataset("digit-jigsaw", items, orders.digit_jigsaw, title="patches of MNIST digits", licence="CC BY-SA 3.0"),
        Dataset("uniform-square", convex_hull.SCHEMA.id, hulls.uniform_square, title="points of a square, synthetic"),
        Dataset("near-average", choices, subsets.near_average, title="who is near the set's average, synthetic"),
        Dataset("digit-anomaly", choices, subsets.digit_anomaly, title="odd digits out", licence="BSD (scikit-learn)"),
        Dataset("two-moons-subset", choices, subsets.two_moons, title="the smaller of two moons, synthetic"),
        Dataset("star-model", variable_order.SCHEMA.id, star.star_model, title="a head and five leaves, synthetic"),
        Dataset("random-multisets", sum_embedding.SCHEMA.id, multisets.random_multisets, title="multisets, synthetic"),
        Dataset(
            "shape-views", view_sets.SCHEMA.id, views.shape_views, title="ten solids from unknown azimuths, synthetic"
        ),
        Dataset(
            "shape-voxels", view_sets.SCHEMA.id, views.shape_voxels, title="voxels of ten solids, from views, synthetic"
        ),
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
        *baselines_orders.MODELS,
        *baselines_parts.MODELS,
        *baselines_subsets.MODELS,
        *view_sets.BASELINES,
        *relative_pose.BASELINES,
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the family's metrics."""
    return [
        *metrics.METRICS,
        *permutation_recovery.METRICS,
        *convex_hull.METRICS,
        *subset_selection.METRICS,
        *sum_embedding.METRICS,
        *variable_order.METRICS,
        *relative_pose.METRICS,
    ]
