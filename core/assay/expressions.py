"""Expressions over stored measurements and the hypotheses about them, as frozen values that print and compare.

Arithmetic on expressions is one number a seed, a comparison is a hypothesis. Nothing here looks at data except
`evaluate`, which is given the numbers of one seed. `assay.claims` has the functions by which authors write these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from assay.errors import AssayError
from assay.spec import Params, freeze, show_params

Op = Literal[">", ">=", "<", "<="]
Operator = Literal["+", "-", "*", "/"]


@dataclass(frozen=True)
class Expression:
    """Something that has one number a seed. Python's arithmetic and comparisons build larger ones."""

    def parts(self) -> tuple[Expression, ...]:
        """Return the expressions that this one is made of."""
        return ()

    def scores(self) -> Iterator[Score]:
        """Yield every measurement that is needed, in the order of writing."""
        for part in self.parts():
            yield from part.scores()

    def __add__(self, other: Expression | float) -> Expression:
        return Arithmetic("+", self, _expression(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Arithmetic("-", self, _expression(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Arithmetic("*", self, _expression(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Arithmetic("/", self, _expression(other))

    def __rsub__(self, other: float) -> Expression:
        return Arithmetic("-", _expression(other), self)

    def __rtruediv__(self, other: float) -> Expression:
        return Arithmetic("/", _expression(other), self)

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other: Expression | float) -> Comparison:
        return _compare(self, ">", other)

    def __ge__(self, other: Expression | float) -> Comparison:
        return _compare(self, ">=", other)

    def __lt__(self, other: Expression | float) -> Comparison:
        return _compare(self, "<", other)

    def __le__(self, other: Expression | float) -> Comparison:
        return _compare(self, "<=", other)

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value: join claims with &, and write a chained comparison as two")


@dataclass(frozen=True)
class Constant(Expression):
    """A number."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Score(Expression):
    """A metric of an entrant: one stored number a seed. Without `entrant` it is a name to be called with one.

    `params` are parameters of the entrant, or knobs of an evaluation that the task declares (`test_size=50`).
    """

    metric: str
    task: str
    entrant: str = ""
    params: Params = ()
    dataset: str | None = None
    scale: str | None = None
    backend: str | None = None

    def __call__(
        self,
        entrant: str,
        *,
        dataset: str | None = None,
        scale: str | None = None,
        backend: str | None = None,
        **params: Any,
    ) -> Score:
        """Return this measurement for an entrant, with whatever else is given pinned."""
        return replace(
            self,
            entrant=entrant,
            params=freeze({**dict(self.params), **params}),
            dataset=dataset or self.dataset,
            scale=scale or self.scale,
            backend=backend or self.backend,
        )

    def scores(self) -> Iterator[Score]:
        """Yield this score."""
        if not self.entrant:
            raise AssayError(f'score("{self.metric}") names no entrant: call it with one, score(...)("deep-sets")')
        yield self

    def at(self, name: str, value: Any) -> Score:
        """Return the score with one parameter pinned."""
        return replace(self, params=freeze({**dict(self.params), name: value}))

    def __str__(self) -> str:
        pins = show_params(self.params)
        where = [part for part in (self.dataset, self.scale, self.backend) if part]
        return f"{self.metric}({', '.join([self.entrant, *([pins] if pins else []), *where])})"


@dataclass(frozen=True)
class Arithmetic(Expression):
    """`left operator right`, seed by seed."""

    operator: Operator
    left: Expression
    right: Expression

    def parts(self) -> tuple[Expression, ...]:
        """Return both sides."""
        return (self.left, self.right)

    def __str__(self) -> str:
        return " ".join([_wrapped(self.left), self.operator, _wrapped(self.right)])


@dataclass(frozen=True)
class _Over(Expression):
    score: Score
    over: str
    at: tuple[Any, ...]

    def parts(self) -> tuple[Expression, ...]:
        """Return the score at each level of the parameter."""
        return tuple(self.score.at(self.over, level) for level in self.at)

    def __str__(self) -> str:
        levels = ", ".join(str(level) for level in self.at)
        return f"{type(self).__name__.lower()}({self.score} over {self.over} = {levels})"


@dataclass(frozen=True)
class Slope(_Over):
    """The least-squares slope of log(score) on log(parameter), one number a seed: the exponent of a power law.

    Assumes positive scores; a hypothesis about it is tested as one about any other number a seed.
    """


@dataclass(frozen=True)
class Trend(_Over):
    """Whether the score rises with the parameter, in the order of `at`: the sign of Page's statistic.

    Null hypothesis: within a seed all orders of the levels are as likely. Test: Page's L (Page 1963, Ordered hypotheses
    for multiple treatments), exact for small tables. Assumes independent seeds, nothing about the shape of the values.
    """


@dataclass(frozen=True)
class Worst(Expression):
    """The value of the seed that is worst for the claim: no average, no statistics.

    A statement about the seeds that were run, for what theory guarantees at each of them.
    """

    expression: Expression

    def parts(self) -> tuple[Expression, ...]:
        """Return the expression inside."""
        return (self.expression,)

    def __str__(self) -> str:
        return f"worst({self.expression})"


@dataclass(frozen=True)
class Hypothesis:
    """Something that stored measurements can confirm, refute or leave open."""

    def expressions(self) -> tuple[Expression, ...]:
        """Return the expressions whose numbers decide."""
        raise NotImplementedError

    def scores(self) -> list[Score]:
        """Return every distinct measurement that is needed, in the order of writing."""
        return list(dict.fromkeys(s for expression in self.expressions() for s in expression.scores()))

    def refuted_by(self) -> str:
        """Say in words what would refute it."""
        raise NotImplementedError

    def __and__(self, other: Hypothesis) -> All:
        return All((*_conjuncts(self), *_conjuncts(other)))

    def __bool__(self) -> bool:
        raise TypeError("a hypothesis has no truth value until it is tested: join two with &, not `and`")


@dataclass(frozen=True)
class Comparison(Hypothesis):
    """The mean over seeds (the geometric mean for a ratio, each seed for `worst`) lies on one side of a bound.

    Null hypothesis: it lies on the other side or on the bound. Test: t, paired by seed as the left side is one number a
    seed (Student 1908), on logarithms for a ratio; the exact sign test where the value never varies. Assumes independent
    seeds and a mean that is close to normal.
    """

    left: Expression
    op: Op
    bound: float

    def expressions(self) -> tuple[Expression, ...]:
        """Return the left side."""
        return (self.left,)

    def refuted_by(self) -> str:
        """Say in words what would refute it."""
        other = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}[self.op]
        return f"{self.left} {other} {self.bound:g}"

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.bound:g}"


@dataclass(frozen=True)
class Within(Hypothesis):
    """The mean over seeds lies in `of` +- `tol`, edges included.

    Null hypothesis: it lies outside. Test: two one-sided t tests (TOST; Schuirmann 1987), on logarithms for a ratio, with
    the assumptions of `Comparison`.
    """

    left: Expression
    of: float
    tol: float

    def expressions(self) -> tuple[Expression, ...]:
        """Return the left side."""
        return (self.left,)

    def refuted_by(self) -> str:
        """Say in words what would refute it."""
        return f"{self.left} outside {self.of:g} +- {self.tol:g}"

    def __str__(self) -> str:
        return f"{self.left} = {self.of:g} +- {self.tol:g}"


@dataclass(frozen=True)
class All(Hypothesis):
    """Each of several hypotheses.

    Null hypothesis: at least one of them is false. Test: intersection-union (Berger 1982), each part at the full level; it
    is refuted when any part is, Bonferroni-corrected over the parts. Assumes nothing beyond its parts.
    """

    hypotheses: tuple[Hypothesis, ...]

    def expressions(self) -> tuple[Expression, ...]:
        """Return the expressions of all."""
        return tuple(e for h in self.hypotheses for e in h.expressions())

    def refuted_by(self) -> str:
        """Say in words what would refute it."""
        return " or ".join(h.refuted_by() for h in self.hypotheses)

    def __str__(self) -> str:
        return " & ".join(f"({h})" for h in self.hypotheses)


def evaluate(expression: Expression, values: Mapping[Score, float]) -> float:
    """Return the number of an expression at one seed, given its scores there (`Trend` and `Worst` have none)."""
    if isinstance(expression, Constant):
        return expression.value
    if isinstance(expression, Score):
        return values[expression]
    if isinstance(expression, Slope):
        x = [math.log(level) for level in expression.at]
        y = [math.log(values[part]) for part in expression.scores()]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    if isinstance(expression, Arithmetic):
        left, right = evaluate(expression.left, values), evaluate(expression.right, values)
        if expression.operator == "+":
            return left + right
        if expression.operator == "-":
            return left - right
        return left * right if expression.operator == "*" else left / right
    raise AssayError(f"{expression} cannot stand inside another expression")


def is_ratio(expression: Expression) -> bool:
    """Whether the expression is one measurement divided by another, which is tested on logarithms."""
    if not isinstance(expression, Arithmetic) or expression.operator != "/":
        return False
    return all(any(True for _ in side.scores()) for side in expression.parts())


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Constant(float(value))


def _compare(left: Expression, op: Op, right: Expression | float) -> Comparison:
    if isinstance(right, Expression):
        left, bound = Arithmetic("-", left, right), 0.0
    else:
        bound = float(right)
    if isinstance(left, Trend) and bound != 0:
        raise AssayError(f"{left} {op} {bound:g}: a trend has a direction only; compare it with 0")
    return Comparison(left, op, bound)


def _conjuncts(hypothesis: Hypothesis) -> tuple[Hypothesis, ...]:
    return hypothesis.hypotheses if isinstance(hypothesis, All) else (hypothesis,)


def _wrapped(expression: Expression) -> str:
    return f"({expression})" if isinstance(expression, Arithmetic) else str(expression)
