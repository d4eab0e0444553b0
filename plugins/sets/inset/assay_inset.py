"""INSET (Xie et al., 2024, arXiv:2402.03139): choose a subset in view of the whole set that it is chosen from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_sets.baselines import mlp
from assay_sets.metrics import double
from assay_sets.schemas import SubsetChoices
from torch import Tensor, nn

ITERATIONS, SAMPLES = 2, 5
"""Mean-field iterations, of which the last one has a gradient, and subsets drawn in each."""


class Inset(nn.Module):
    """v (B, n, inputs) -> psi (B, n), the mean-field probabilities that an element is chosen.

    F(S, V) = rho([sum_{i in S} phi(v_i) ; sum_{j in V} theta(v_j) / n]): an invariant of the superset stands beside
    that of the subset (eq. 6). Without `superset` the second half is zero, and the model is EquiVSet's mean field
    (Ou et al. 2022): psi_i = sigmoid(E_S[F(S + i) - F(S - i)]), S of independent elements of probability psi, from
    psi = 1/2 on.
    """

    def __init__(self, inputs: int, superset: bool = True, width: int = 64) -> None:
        super().__init__()
        self.superset = superset
        self.phi, self.theta = mlp(inputs, width, width), mlp(inputs, width, width)
        self.rho = mlp(2 * width, 64, 1)

    def gains(self, features: Tensor, whole: Tensor, subsets: Tensor) -> Tensor:
        """Return F(S + i) - F(S - i) (B, m, n) for subsets (B, m, n), which may be fuzzy, of features (B, n, width)."""
        without = (subsets @ features)[:, :, None] - subsets[..., None] * features[:, None]
        background = whole[:, None, None].expand_as(without)
        with_i, without_i = (
            self.rho(torch.cat([s, background], -1)).squeeze(-1) for s in (without + features[:, None], without)
        )
        return with_i - without_i

    def refined(self, features: Tensor, whole: Tensor, psi: Tensor) -> Tensor:
        """Return the logits of one more iteration: over samples in training, else over the expected subset.

        The sums of the expected subset are weighted by psi, which makes the result the same at every call.
        """
        subsets = psi[:, None].expand(-1, SAMPLES, -1).bernoulli() if self.training else psi[:, None]
        return self.gains(features, whole, subsets).mean(1)

    def logits(self, v: Tensor) -> Tensor:
        """Return the logits of psi after ITERATIONS."""
        features, whole = self.phi(v), self.theta(v).mean(1)
        whole = whole * self.superset
        psi = torch.full(v.shape[:2], 0.5, dtype=v.dtype, device=v.device)
        with torch.no_grad():
            for _ in range(ITERATIONS - 1):
                psi = self.refined(features, whole, psi).sigmoid()
        return self.refined(features, whole, psi)

    def loss(self, v: Tensor, s: Tensor) -> Tensor:
        """Return -sum_{i in S*} log psi_i - sum_{i not in S*} log(1 - psi_i), a mean over elements."""
        return nn.functional.binary_cross_entropy_with_logits(self.logits(v), s.to(v.dtype))

    def forward(self, v: Tensor) -> Tensor:
        """Return psi."""
        return self.logits(v).sigmoid()

    @torch.no_grad()
    def report(self, data: SubsetChoices, ctx: Context) -> Mapping[str, Any]:
        """Return the gains of elements inside a half S of 64 test sets, before and after the other half is exchanged."""
        del ctx
        net, v = double(self), torch.tensor(data.test_v[:64]).double()
        half = v.shape[1] // 2
        other = torch.cat([v[:, :half], v.roll(1, 0)[:, half:]], 1)
        subset = (torch.arange(v.shape[1]) < half).double().expand(len(v), 1, -1)
        wholes = [net.theta(sets).mean(1) * self.superset for sets in (v, other)]
        return {"gains": [net.gains(net.phi(v), whole, subset)[:, 0, :half] for whole in wholes]}


def background_effect(outcome: Mapping[str, Any]) -> float:
    """Mean relative change of F(S + i) - F(S - i), i in S, when what lies outside of S is exchanged."""
    before, after = outcome["gains"]
    return float((after - before).abs().mean() / before.abs().mean())


class InsetDeepSet(nn.Module):
    """v (B, n, inputs) -> (B, n): an MLP on [v_i ; mean_j theta(v_j)]: the superset's invariant without a set function."""

    def __init__(self, inputs: int, width: int = 64) -> None:
        super().__init__()
        self.theta, self.each = mlp(inputs, width, width), mlp(inputs + width, width, 1)

    def logits(self, v: Tensor) -> Tensor:
        """Return the elements' logits."""
        whole = self.theta(v).mean(1, keepdim=True).expand(-1, v.shape[1], -1)
        return self.each(torch.cat([v, whole], -1)).squeeze(-1)

    loss, forward = Inset.loss, Inset.forward


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task = "sets/subset-selection"
    return [
        Model("inset", task, Inset),
        Model("inset-no-superset", task, Inset, {"superset": False}, ablates="inset"),
        Model("inset-deepset", task, InsetDeepSet),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return how much the background matters."""
    return [Metric("background_effect", background_effect, ("gains",), "up", "relative", bounds=(0.0, float("inf")))]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "sets/subset-selection"
    chosen = score("mean_jaccard", task=task)
    background = score("background_effect", task=task, dataset="near-average")
    average, anomaly = {"dataset": "near-average"}, {"dataset": "digit-anomaly"}
    return [
        Paper(
            "inset",
            title="Enhancing Neural Subset Selection: Integrating Background Information into Set Representations",
            year=2024,
            arxiv="2402.03139",
            family="sets",
            notes="near-average takes the place of choosing who is above the average, which a score an element solves once "
            "the subset's size is given. The base is no blind model: its mean field draws subsets of the whole set, by "
            "which it sees the average too. inset-deepset, a plain pointwise network that is told the same invariant, "
            "learns faster than either. On digit-anomaly two of five seeds end 18 and 20 points behind the base and three within "
            "one point of it: what decides there is whether training takes off, not the superset. The mean field has two "
            "iterations in place of five, for time.",
            claims=[
                Claim(
                    "superset-information-needed",
                    chosen("inset", **average) - chosen("inset-no-superset", **average) > 0.03,
                    says="An invariant of the superset improves the choice over the same model that sees subsets alone.",
                ),
                Claim(
                    "helps-on-anomaly",
                    chosen("inset", **anomaly) - chosen("inset-no-superset", **anomaly) > 0.01,
                    says="It also helps to find the odd digits out.",
                ),
                Claim(
                    "background-enters",
                    (worst(background("inset")) >= 0.01) & (worst(background("inset-no-superset")) <= 1e-9),
                    says="What lies outside a subset changes the value that it gives to its elements; in the base it cannot.",
                ),
                Claim(
                    "equivariant-selection",
                    worst(score("perm_gap", task=task)("inset", **average)) <= 1e-9,
                    says="The choice does not depend on the order of the elements.",
                ),
            ],
        )
    ]
