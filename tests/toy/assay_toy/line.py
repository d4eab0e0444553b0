"""Task toy/line: predict y from x."""

import numpy as np

from assay_toy import recipe

SLOPE = 2.0


class Zero:
    """Predicts 0."""

    def __init__(self, inputs: int) -> None: ...

    def fit(self, x, y) -> None: ...

    def predict(self, x):
        return np.zeros(len(x))


def noisy(seed, scale, source):
    return _draw(seed, noise=0.5)


def clean(seed, scale, source):
    return _draw(seed, noise=0.0)


def _draw(seed, noise):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 1))
    return {"x": x, "y": SLOPE * x[:, 0] + noise * rng.normal(size=20)}


def split(arrays, rng):
    order = rng.permutation(len(arrays["x"]))
    return {"x": arrays["x"][order], "y": arrays["y"][order]}


def run(entrant, data, ctx):
    module = ctx.prepare(entrant.build(inputs=data["x"].shape[1]))
    recipe.fit(module, data["x"], data["y"], ctx)
    shifted = [({"shift": by}, {"prediction": module.predict(data["x"] + by), "y": data["y"]}) for by in (1.0, 2.0)]
    return {"module": module, "prediction": module.predict(data["x"]), "y": data["y"], "conditions": shifted}
