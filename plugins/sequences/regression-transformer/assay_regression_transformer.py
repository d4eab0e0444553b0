"""Regression Transformer (Born and Manica, 2022, arXiv:2202.01338): a property as digit tokens, predicted and conditioned on."""

from __future__ import annotations

import numpy as np
import torch
from assay import Claim, Context, Model, Paper, hookimpl, score
from assay_sequences.kit import Attention, Block, batches, cross_entropy, generator, train
from assay_sequences.property_strings import Floats, Ints
from torch import Tensor, nn

DIGITS = 3  # of a property scaled to [0, 1): 10^-1, 10^-2, 10^-3
PLAIN = 0.5  # share of the steps before the objectives alternate
MASKED = 0.4  # share of the residues hidden in generation
ROUNDS = 4  # in which they are filled


def numerical_encoding(width: int) -> Tensor:
    """Return (10 DIGITS, width): NE_j(v, p) = (-1)^j v 10^p / (j + 1) of the digit v at the decimal place p, place by place."""
    j = torch.arange(width)
    value = torch.arange(10.0) * 10.0 ** -torch.arange(1.0, DIGITS + 1)[:, None]
    return value.flatten()[:, None] * (-1.0) ** j / (j + 1)


class RegressionTransformer(nn.Module):
    """Tokens (B, DIGITS + 1 + length) -> logits (B, the same, tokens): digits of the property, a separator, the residues.

    Hidden tokens are predicted from all others (a two-way encoder with mask tokens stands for XLNet). In the first half of
    training any tokens are hidden at random; the second half refines this by two objectives in turn: the property's digits
    are hidden and predicted from the residues, or a part of the residues is hidden and predicted from the property and the
    rest. With `consistency` the string that the latter has filled in (its likeliest residues, no gradient goes through
    them) must then have the primed property by the former. Without `alternate` the plain objective stays to the end.
    """

    def __init__(
        self,
        vocab: int,
        length: int,
        alternate: bool = True,
        consistency: bool = True,
        encoding: bool = True,
        width: int = 48,
    ) -> None:
        super().__init__()
        self.vocab, self.length, self.alternate, self.consistency = vocab, length, alternate, consistency
        self.mask, self.end, self.separator = vocab + 10 * DIGITS, vocab + 10 * DIGITS + 1, vocab + 10 * DIGITS + 2
        self.embed, self.places = nn.Embedding(self.separator + 1, width), nn.Embedding(DIGITS + 1 + length, width)
        for table in (self.embed, self.places):
            nn.init.normal_(table.weight, std=width**-0.5)
        numbers = torch.zeros(self.separator + 1, width)
        numbers[vocab : self.mask] = numerical_encoding(width) * encoding
        self.register_buffer("numbers", numbers)
        self.blocks = nn.ModuleList(Block(width, Attention(width, 4, causal=False)) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, self.mask)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of residues and digits; numerical encodings are added to the embeddings of digits."""
        x = self.embed(tokens) + self.numbers[tokens] + self.places.weight
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.norm(x))

    def tokens(self, strings: Ints, values: Floats | None = None) -> Tensor:
        """Return the tokens (N, DIGITS + 1 + length), digits hidden where there are no values."""
        residues = torch.tensor(np.where(strings < 0, self.end, strings))
        first = torch.full((len(strings), DIGITS + 1), self.mask)
        first[:, DIGITS] = self.separator
        if values is not None:
            whole = ((values - self.low) / self.range * 10**DIGITS).clip(0, 10**DIGITS - 1).astype(np.int64)
            for place in range(DIGITS):
                digit = whole // 10 ** (DIGITS - 1 - place) % 10
                first[:, place] = torch.tensor(self.vocab + 10 * place + digit)
        return torch.cat([first, residues], 1)

    def fit(self, strings: Ints, values: Floats, ctx: Context) -> None:
        """Train on the plain objective, then on the two in turn."""
        self.low, self.range = float(values.min()), float(np.ptp(values)) * (1 + 1e-6)
        x, draw = self.tokens(strings, values), batches(len(strings), ctx.budget["batch"], ctx)
        noise = generator(ctx, "masks")
        net, plain = ctx.prepare(self), ctx.budget["steps"] * PLAIN if self.alternate else ctx.budget["steps"]

        def hidden(batch: Tensor, step: int) -> Tensor:
            free, digit = batch < self.mask, torch.arange(batch.shape[1]) < DIGITS
            chance = torch.rand(batch.shape, generator=noise)
            if step < plain:
                return free & (chance < torch.rand((len(batch), 1), generator=noise))
            if step % 2:
                return free & ~digit & (chance < MASKED)
            shown = torch.randint(DIGITS, (len(batch), 1), generator=noise)  # digits are read one after another
            return digit & (torch.arange(batch.shape[1]) >= shown)

        def predicted(batch: Tensor, hide: Tensor) -> tuple[Tensor, Tensor]:
            logits = net(batch.masked_fill(hide, self.mask))
            return cross_entropy(logits, batch.masked_fill(~hide, -100)), logits

        def loss(step: int) -> Tensor:
            batch = x[next(draw)]
            hide = hidden(batch, step)
            value, logits = predicted(batch, hide)
            if step >= plain and step % 2 and self.consistency:
                filled = torch.where(hide, logits[..., : self.vocab].argmax(2), batch)
                value = value + predicted(filled, hidden(batch, step + 1))[0]
            return value

        train(net, loss, ctx)

    @torch.no_grad()
    def predict(self, strings: Ints) -> Floats:
        """Return the properties (M,): the likeliest digits, one after another."""
        tokens, total = self.tokens(strings), np.zeros(len(strings))
        for place in range(DIGITS):
            first = self.vocab + 10 * place
            digit = self(tokens)[:, place, first : first + 10].argmax(1)
            tokens[:, place] = first + digit
            total += digit.numpy() * 10.0 ** -(place + 1)
        return self.low + self.range * (total + 0.5 * 10.0**-DIGITS)

    @torch.no_grad()
    def generate(self, seeds: Ints, wanted: Floats, rng: np.random.Generator) -> Ints:
        """Return the seeds (M, T) with a part of their residues drawn anew under the wanted properties, in a few rounds."""
        tokens, draw = self.tokens(seeds, wanted), torch.Generator().manual_seed(int(rng.integers(2**62)))
        turn = torch.rand(tokens.shape, generator=draw) / MASKED
        turn[:, : DIGITS + 1] = 1.0
        turn = turn.masked_fill(tokens >= self.vocab, 1.0)  # in [0, 1): to be drawn, and when
        tokens = tokens.masked_fill(turn < 1, self.mask)
        for round_ in range(ROUNDS):
            chance = self(tokens)[..., : self.vocab].softmax(-1)
            drawn = torch.multinomial(chance.flatten(0, 1), 1, generator=draw).view_as(tokens)
            now = (turn * ROUNDS >= round_) & (turn * ROUNDS < round_ + 1)
            tokens = torch.where(now, drawn, tokens)
        written = tokens[:, DIGITS + 1 :].numpy()
        return np.where(seeds < 0, -1, written)


TASK = "sequences/property-strings"


@hookimpl
def assay_models() -> list[Model]:
    """Return the model and what is left without each of its parts."""
    name = "regression-transformer"
    return [
        Model(name, TASK, RegressionTransformer),
        Model("rt-no-alternation", TASK, RegressionTransformer, {"alternate": False}, ablates=name),
        Model("rt-no-self-consistency", TASK, RegressionTransformer, {"consistency": False}, ablates=name),
        Model("rt-no-ne", TASK, RegressionTransformer, {"encoding": False}, ablates=name),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    rmse, rank = (score(name, task=TASK, dataset="boman-peptides") for name in ("rmse", "spearman"))
    return [
        Paper(
            "regression-transformer",
            title="Regression Transformer: Concurrent sequence regression and generation for molecular language modeling",
            year=2022,
            arxiv="2202.01338",
            family="sequences",
            notes="Random peptides whose property is linear in their residues stand for molecules, proteins and reactions, two "
            "layers of width 48 for XLNet, three digits for the property (the last counts steps of about .007 deviations), "
            "1,000 steps for all. As in the authors' configuration the alternating objectives refine a model that was trained "
            "on the plain one (here half of the steps each), but they change every step, and the string that self-consistency "
            "reads is the likeliest one without a gradient; seeds keep 60 % of their residues, and as wanted properties are "
            "permuted among the seeds, seeds left as they are have a correlation of about 0. Found: the digits cost much: "
            "rmse .25 to .37 against .0136 to .0148 of the regression head, which the linear property suits (as it does ridge "
            "on counts, an oracle), while an unordered loss has to find where each digit changes. Steering works: correlation "
            ".72 to .76. But hiding tokens at random to the end does as well or better (.76 to .79, rmse .21 to .29): its "
            "training has all the mixtures of hidden places that filling in four rounds meets. On a pilot seed self-"
            "consistency itself harms (rmse .27 with, .15 without; correlation .71 and .73), as it teaches that a badly "
            "filled string has the primed property; from the first step on, before the generator writes anything sensible, "
            "more so (.36 against .13).",
            claims=[
                Claim(
                    "regression-by-tokens",
                    rmse("regression-transformer") / rmse("regression-head") < 1.25,
                    says="With a nominal loss on digits it is about as accurate as a conventional regressor.",
                    published="matches or surpasses conventional regression models (abstract)",
                    seeds=4,
                ),
                Claim(
                    "steers-generation",
                    rank("regression-transformer") > 0.5,
                    says="Primed with a property it writes strings whose true property follows.",
                    seeds=4,
                ),
                Claim(
                    "alternation-helps",
                    rank("regression-transformer") - rank("rt-no-alternation") > 0.03,
                    says="Two alternating objectives with self-consistency steer better than hiding tokens at random.",
                    seeds=4,
                ),
            ],
        )
    ]
