"""How entrants of toy/line are trained."""


def fit(module, x, y, ctx) -> None:
    with ctx.timer("fit"):
        for step in range(ctx.budget["rounds"]):
            module.fit(x, y)
            ctx.log(step, loss=0.0)
