"""SymmetricDiffusers (Zhang et al., 2025, arXiv:2410.02942): shuffle by riffles, learn to undo them step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise, permutations
from math import comb, factorial
from typing import Any

import torch
from assay import Claim, Context, Metric, Model, Paper, hookimpl, score, worst
from assay_sets.baselines_orders import item_encoder
from assay_sets.recipe import generator
from torch import Tensor, nn

SCHEDULE = (0, 4, 7)
"""Numbers of riffles between which the reverse process steps; 7 mix 9 items (the cut-off is 1.5 log2 n)."""
TARGETS = 50
"""Reverse posteriors that each family of distributions is fitted to."""


def riffled(sets: int, items: int, times: int, draw: torch.Generator | None = None) -> Tensor:
    """Return orders (sets, items) after `times` Gilbert-Shannon-Reeds riffles: entry k is the card that lies at place k.

    At once: t riffles are one 2^t-shuffle, in which cards lie at sorted uniform points u that move to the fractional
    part of 2^t u (Bayer and Diaconis 1992).
    """
    places = torch.rand(sets, items, generator=draw, dtype=torch.float64).sort(1).values
    return (places * 2**times).frac().argsort(1)


def rising_sequences(order: tuple[int, ...]) -> int:
    """Return r: the number of maximal runs of successive cards that lie in order from left to right."""
    place = {card: k for k, card in enumerate(order)}
    return 1 + sum(place[card + 1] < place[card] for card in range(len(order) - 1))


def riffle_chance(items: int, times: int, rising: int) -> Fraction:
    """Return q_t(order) = binom(n + 2^t - r, n) / 2^(t n) of an order with r rising sequences (eq. 3)."""
    return Fraction(comb(items + 2**times - rising, items), 2 ** (times * items))


def total_variation(items: int, times: int) -> float:
    """Return the distance of the order after t riffles from uniform: there are A(n, r - 1) orders of r sequences.

    Eulerian numbers A(n, k) = (k + 1) A(n - 1, k) + (n - k) A(n - 1, k - 1), in exact arithmetic.
    """
    eulerian = [1]
    for n in range(2, items + 1):
        padded = [0, *eulerian, 0]
        eulerian = [(k + 1) * padded[k + 1] + (n - k) * padded[k] for k in range(n)]
    uniform = Fraction(1, factorial(items))
    return float(sum(a * abs(riffle_chance(items, times, r) - uniform) for r, a in enumerate(eulerian, start=1)) / 2)


def draw_gap(draw: torch.Generator, draws: int = 20_000) -> float:
    """Return by how many standard deviations the frequency of an order of 4 cards differs at most from `riffle_chance`."""
    gaps = []
    for times in (1, 2):
        found = Counter(map(tuple, riffled(draws, 4, times, draw).tolist()))
        for order in permutations(range(4)):
            chance = float(riffle_chance(4, times, rising_sequences(order)))
            spread = (draws * chance * (1 - chance)) ** 0.5
            gaps.append(abs(found[order] - draws * chance) / (spread or 1e-9))  # an impossible order must not occur
    return max(gaps)


def log_plackett_luce(scores: Tensor, order: Tensor) -> Tensor:
    """Return log p(order) (...) for scores (..., n, n): sum_i S[i, o_i] - log sum_{j >= i} exp S[i, o_j] (eq. 9).

    The generalised Plackett-Luce distribution has a row of scores a place; with equal rows it is Plackett and Luce's.
    """
    n = scores.shape[-1]
    ordered = torch.take_along_dim(scores, order[..., None, :].expand_as(scores), -1)  # column j: item o_j
    left = ordered.masked_fill(torch.ones(n, n, dtype=torch.bool, device=scores.device).tril(-1), -torch.inf)
    return (ordered.diagonal(dim1=-2, dim2=-1) - left.logsumexp(-1)).sum(-1)


class SymmetricDiffuser(nn.Module):
    """x (B, N, inputs) -> a permutation: a transformer undoes 7 riffles in the steps of `schedule`, greedily.

    `generalised` scores (B, N, N) say how well each item of the current arrangement fits each place; else (B, 1, N).
    """

    def __init__(self, items: int, inputs: int, generalised: bool = True, schedule: tuple[int, ...] = SCHEDULE) -> None:
        super().__init__()
        self.items, self.generalised, self.schedule = items, generalised, schedule
        self.encode = nn.Sequential(item_encoder(inputs), nn.Linear(128, 64))
        self.place, self.time = nn.Embedding(items, 64), nn.Embedding(max(schedule) + 1, 64)
        block = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True, norm_first=True)
        self.relate = nn.TransformerEncoder(block, 3, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, items if generalised else 1))

    def scores(self, codes: Tensor, time: int) -> Tensor:
        """Return the scores (B, N, N) [place, item] of the step back from `time`, for codes (B, N, 64) as they lie."""
        tokens = codes + self.place.weight + self.time.weight[time]
        return self.out(self.relate(tokens)).transpose(1, 2).expand(-1, self.items, -1)

    def loss(self, x: Tensor, perm: Tensor) -> Tensor:
        """Return -log p(X_t' | X_t), a mean over the steps of one trajectory a set (eq. 11).

        X_t follows from X_t' by t - t' riffles, and what is scored is the order that takes X_t back to X_t'.
        """
        codes = torch.take_along_dim(self.encode(x), perm[..., None], 1)  # X_0: every item at its place
        losses = []
        for before, after in pairwise(self.schedule):
            shuffle = riffled(len(x), self.items, after - before).to(x.device)
            codes = torch.take_along_dim(codes, shuffle[..., None], 1)
            losses.append(-log_plackett_luce(self.scores(codes, after), shuffle.argsort(1)).mean())
        return torch.stack(losses).mean()

    def predict(self, x: Tensor) -> Tensor:
        """Return the order in which the items lie after all steps back from the arrangement given."""
        lying, codes = torch.arange(self.items, device=x.device).expand(len(x), -1), self.encode(x)
        for time in self.schedule[:0:-1]:
            scores, back = self.scores(torch.take_along_dim(codes, lying[..., None], 1), time), []
            for place in range(self.items):
                best = scores[:, place].argmax(1)
                back.append(best)
                scores = scores.scatter(2, best[:, None, None].expand(-1, self.items, 1), -torch.inf)
            lying = lying.gather(1, torch.stack(back, 1))
        return lying

    def report(self, data: Any, ctx: Context) -> Mapping[str, Any]:
        """Return what the riffles do to decks, and how well the family fits reverse posteriors on S_4."""
        del data
        draw = generator(ctx, "posteriors")
        fits = fitted(posteriors(draw), self.generalised)
        return {"deck_distance": total_variation(52, 7), "divergences": fits, "draw_gap": draw_gap(draw)}


def posteriors(draw: torch.Generator) -> Tensor:
    """Return q(X_{t-1} | X_t, X_0) (TARGETS, 24) over the orders that take X_t back, for random t in {2, 3} and X_t."""
    orders = list(permutations(range(4)))
    rows = []
    for _ in range(TARGETS):
        t = int(torch.randint(2, 4, (), generator=draw))
        now = tuple(riffled(1, 4, t, draw)[0].tolist())
        joint = []
        for back in orders:  # X_{t-1} = now[back], and one riffle, the inverse of back, made X_t of it
            forth = tuple(sorted(range(4), key=back.__getitem__))
            earlier = rising_sequences(tuple(now[k] for k in back))
            joint.append(riffle_chance(4, t - 1, earlier) * riffle_chance(4, 1, rising_sequences(forth)))
        rows.append([float(p / sum(joint)) for p in joint])
    return torch.tensor(rows, dtype=torch.float64)


def fitted(targets: Tensor, generalised: bool) -> Tensor:
    """Return min KL(target || member of the family) (TARGETS,), by LBFGS with all 24 orders enumerated.

    The likelihood is concave in the scores, so that one start is enough.
    """
    orders = torch.tensor(list(permutations(range(4)))).expand(len(targets), 24, 4)
    scores = torch.zeros(len(targets), 4 if generalised else 1, 4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([scores], max_iter=100, line_search_fn="strong_wolfe")

    def divergences() -> Tensor:
        members = log_plackett_luce(scores[:, None].expand(-1, 24, 4, 4), orders)
        return (torch.xlogy(targets, targets) - targets * members).sum(-1)

    def closure() -> Tensor:
        optimiser.zero_grad()
        total = divergences().sum()
        total.backward()
        return total

    optimiser.step(closure)
    return divergences().detach()


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task, name = "sets/permutation-recovery", "symmetric-diffusers"
    return [
        Model(name, task, SymmetricDiffuser),
        Model(f"{name}-pl", task, SymmetricDiffuser, {"generalised": False}, ablates=name),
        Model(f"{name}-one-step", task, SymmetricDiffuser, {"schedule": (0, 7)}, ablates=name),
    ]


@hookimpl
def assay_metrics() -> list[Metric]:
    """Return the measures of the paper's theory."""
    inf = float("inf")
    return [
        Metric("deck_distance", lambda o: o["deck_distance"], ("deck_distance",), "down", "probability", exact=True),
        Metric("draw_gap", lambda o: o["draw_gap"], ("draw_gap",), "down", "standard deviations", bounds=(0, inf)),
        Metric(
            "fit_kl", lambda o: float(o["divergences"].mean()), ("divergences",), "down", "nats", bounds=(-1e-9, inf)
        ),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task, name = "sets/permutation-recovery", "symmetric-diffusers"
    exact, deck, drawn, fit = (
        score(metric, task=task, dataset="digit-jigsaw")
        for metric in ("exact_match", "deck_distance", "draw_gap", "fit_kl")
    )
    return [
        Paper(
            name,
            title="SymmetricDiffusers: Learning Discrete Diffusion on Finite Symmetric Groups",
            year=2024,
            arxiv="2410.02942",
            family="sets",
            notes="diffusion-beats-one-shot is undecided: on nine patches both put 74 to 75 % of the digits together, "
            "although the diffusion learns from two parts of a trajectory a step, the other from one. What makes the difference "
            "there is the generalised family: with Plackett and Luce's, 6 % are right. The paper goes up to 200 items.",
            claims=[
                Claim(
                    "riffle-mixing",
                    (worst(deck(name)) <= 0.3346) & (worst(deck(name)) >= 0.3334) & (worst(drawn(name)) <= 5),
                    says="Riffles mix by the known cut-off: after 7 of them 52 cards are 0.334 from uniform; those drawn "
                    "follow the closed form.",
                    published="0.334 (Bayer and Diaconis 1992)",
                    seeds=3,
                ),
                Claim(
                    "gpl-more-expressive",
                    fit(f"{name}-pl") - fit(name) > 0.02,
                    says="Generalised Plackett-Luce distributions fit reverse posteriors better than Plackett and Luce's.",
                    seeds=3,
                ),
                Claim(
                    "diffusion-beats-one-shot",
                    exact(name) - exact(f"{name}-one-step") > 0.02,
                    says="Denoising in steps beats predicting the permutation at once.",
                    seeds=3,
                ),
            ],
        )
    ]
