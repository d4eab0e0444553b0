"""AdaSketch-Newton: derivatives by differences, sketches against a direct solve, known optima."""

import numpy as np
import pytest
from assay_adasketch_newton import AdaSketchNewton, Merit, Sketch
from assay_numerics.equality_nlp import (
    HOCK_SCHITTKOWSKI,
    TOLERANCE,
    ExactNewton,
    Trace,
    constrained_logistic,
    convexified,
    kkt,
    newton_matrix,
)

PROBLEMS = [*HOCK_SCHITTKOWSKI, *constrained_logistic(0, "smoke")]


def differences(function, x, h=1e-6):
    return np.stack([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_derivatives_agree_with_differences(problem):
    x = problem.start + 0.1
    gradient, jacobian = problem.slopes(x)
    np.testing.assert_allclose(gradient, differences(lambda p: problem.values(p)[0], x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jacobian, differences(lambda p: problem.values(p)[1], x), rtol=1e-5, atol=1e-6)
    objective, constraints = problem.hessians(x)
    np.testing.assert_allclose(objective, differences(lambda p: problem.slopes(p)[0], x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(constraints, differences(lambda p: problem.slopes(p)[1], x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_gradient_of_the_merit_agrees_with_differences(problem):
    x, m = problem.start + 0.05, len(problem.values(problem.start)[1])
    lam, merit = np.random.default_rng(0).standard_normal(m), Merit(problem, 2.0, 0.3)
    joint = np.concatenate([x, lam])
    found = differences(lambda p: merit.value(p[: len(x)], p[len(x) :]), joint)
    np.testing.assert_allclose(merit.gradient(x, lam), found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("columns", [0, 1, 5])
def test_sketching_converges_to_the_newton_step(columns):
    problem = HOCK_SCHITTKOWSKI[0]
    lam = np.ones(1)
    g, jacobian = kkt(problem, problem.start, lam)
    matrix = newton_matrix(convexified(problem, problem.start, lam, jacobian), jacobian)
    sketch = Sketch(matrix, g, columns, np.random.default_rng(0), Trace())
    sketch.until(1e-9 * np.linalg.norm(g))
    np.testing.assert_allclose(sketch.z, np.linalg.solve(matrix, -g), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(sketch.residual, matrix @ sketch.z + g, atol=1e-8 * np.linalg.norm(g))


@pytest.mark.parametrize("solver", [AdaSketchNewton(columns=5), AdaSketchNewton(tight=True, columns=5), ExactNewton()])
@pytest.mark.parametrize("problem", [p for p in HOCK_SCHITTKOWSKI if p.name in ("HS6", "HS28", "HS48", "HS40")])
def test_known_optima_are_found(problem, solver):
    trace = Trace()
    x = solver.solve(problem, TOLERANCE, 200, trace, np.random.default_rng(0))
    assert trace.kkt[-1] <= TOLERANCE
    assert problem.values(x)[0] == pytest.approx(problem.optimum, abs=1e-5)


@pytest.mark.peer
@pytest.mark.parametrize("problem", [HOCK_SCHITTKOWSKI[1], HOCK_SCHITTKOWSKI[7]], ids=lambda p: p.name)
def test_optima_agree_with_trust_constr(problem):
    from scipy.optimize import NonlinearConstraint, minimize

    constraint = NonlinearConstraint(lambda x: problem.values(x)[1], 0, 0, jac=lambda x: problem.slopes(x)[1])
    theirs = minimize(lambda x: problem.values(x)[0], problem.start, method="trust-constr", constraints=[constraint])
    assert theirs.fun == pytest.approx(problem.optimum, abs=1e-4)
