"""Task sequences/unaligned-transduction: frames to labels, when nobody says which frame belongs to which label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from assay_sequences.common import generator, no_source
from assay_sequences.kit.training import batches, train

SYMBOLS = 8
Strings = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]
"""Frames (N, T, 8), zeros behind the end; lengths (N,); labels (N, U), -1 behind the end."""
SIZES = {"smoke": (200, 50), "small": (2_000, 300), "full": (20_000, 2_000)}


@dataclass(frozen=True)
class FrameData:
    """Strings to train on and to test. `templates` (8, 8): the mean frame of each symbol; `bigrams` (8, 8): what follows what."""

    train: Strings
    test: Strings
    templates: NDArray[np.float64]
    bigrams: NDArray[np.float64]


class Encoder(nn.Module):
    """Frames (B, T, inputs), lengths (B,) -> states (B, T, 2 * width): a bidirectional LSTM that stops where frames end."""

    def __init__(self, inputs: int, width: int = 64) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, width, batch_first=True, bidirectional=True)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the states, zeros behind the end."""
        packed = nn.utils.rnn.pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=frames.shape[1]
        )
        return states


class CTC(nn.Module):
    """Frames (B, T, inputs) -> strings: the encoder, symbols and a blank a frame, torch's CTC loss, greedy decoding.

    Strings longer than their frames have probability 0: they do not count in training.
    """

    def __init__(self, inputs: int, symbols: int) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(inputs), nn.Linear(128, symbols + 1)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return log-probabilities (B, T, symbols + 1), blank 0."""
        return self.head(self.encoder(frames, lengths)).log_softmax(-1)

    def loss(self, frames: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of labels (B, U), -1 behind the end."""
        sizes = (labels >= 0).sum(1)
        found = self(frames, lengths).transpose(0, 1)
        return nn.functional.ctc_loss(found, labels.clamp_min(0) + 1, lengths, sizes, zero_infinity=True)

    def decode(self, frames: Tensor, lengths: Tensor) -> list[list[int]]:
        """Return the likeliest path with repeats and blanks removed."""
        paths = self(frames, lengths).argmax(-1)
        return [collapsed(path[:size]) for path, size in zip(paths.tolist(), lengths.tolist(), strict=True)]


def collapsed(path: Sequence[int]) -> list[int]:
    """Return a path of 0 (blank) and k + 1 as symbols k: repeats once, blanks not at all."""
    return [symbol - 1 for symbol, before in zip(path, [0, *path], strict=False) if symbol and symbol != before]


class FramewiseMajority(nn.Module):
    """Frames (B, T, inputs) -> strings: nearest template a frame, repeats once. Told the templates; learns nothing."""

    def __init__(self, inputs: int, symbols: int) -> None:
        super().__init__()
        self.templates: Tensor | None = None

    def told(self, templates: Tensor) -> None:
        """Take the templates (symbols, inputs)."""
        self.templates = templates

    def decode(self, frames: Tensor, lengths: Tensor) -> list[list[int]]:
        """Return the strings."""
        assert self.templates is not None
        nearest = torch.cdist(frames, self.templates.to(frames)).argmin(-1) + 1
        return [collapsed(path[:size]) for path, size in zip(nearest.tolist(), lengths.tolist(), strict=True)]


def stretched(
    rng: np.random.Generator,
    count: int,
    sizes: tuple[int, int],
    templates: NDArray[np.float64],
    bigrams: NDArray[np.float64],
    *,
    long: bool,
) -> Strings:
    """Return strings of a bigram chain over 8 symbols, each 2 to 5 frames of its template + N(0, .5^2).

    With `long` a frame stands for two symbols, the template of the first and half that of the second, so that U = 2 T;
    `sizes` are then numbers of frames.
    """
    lengths = rng.integers(sizes[0], sizes[1] + 1, count) * (2 if long else 1)
    labels, cumulative = np.full((count, int(lengths.max())), -1), bigrams.cumsum(1)
    labels[:, 0] = rng.integers(SYMBOLS, size=count)
    for u in range(1, labels.shape[1]):
        below = rng.random((count, 1)) > cumulative[labels[:, u - 1]]
        labels[:, u] = np.minimum(below.sum(1), SYMBOLS - 1)
    labels[np.arange(labels.shape[1]) >= lengths[:, None]] = -1
    rows = []
    for row, size in zip(labels, lengths, strict=True):
        means = templates[row[:size]]
        rows.append(means[::2] + 0.5 * means[1::2] if long else np.repeat(means, rng.integers(2, 6, size), 0))
    frames = np.zeros((count, max(map(len, rows)), templates.shape[1]), dtype=np.float32)
    for i, row in enumerate(rows):
        frames[i, : len(row)] = row + 0.5 * rng.standard_normal(row.shape)
    return frames, np.array([len(row) for row in rows]), labels


def _data(name: str, seed: int, scale: str, source: str | None, *, long: bool) -> FrameData:
    no_source(name, source)
    rng = generator(seed, name)
    templates = rng.standard_normal((SYMBOLS, 8))
    templates[1] = templates[0]  # only the bigrams tell these two apart
    bigrams = rng.dirichlet(np.full(SYMBOLS, 0.3), size=SYMBOLS) + 0.01
    np.fill_diagonal(bigrams, 0.0)  # where a symbol ends is to be seen
    bigrams /= bigrams.sum(1, keepdims=True)
    sizes = (2, 2 if scale == "smoke" else 4) if long else (4, 4 if scale == "smoke" else 8)
    train, test = (stretched(rng, count, sizes, templates, bigrams, long=long) for count in SIZES[scale])
    return FrameData(train, test, templates, bigrams)


def stretched_tokens(seed: int, scale: str, source: str | None = None) -> FrameData:
    """Strings of 4 to 8 symbols (4 at smoke), 2 to 5 noisy frames each; symbols 0 and 1 look alike. 2,000 + 300 at small."""
    return _data("stretched-tokens", seed, scale, source, long=False)


def stretched_long(seed: int, scale: str, source: str | None = None) -> FrameData:
    """Return strings of two symbols a frame, 2 to 4 frames: longer than their input."""
    return _data("stretched-long", seed, scale, source, long=True)


def run(entrant: Entrant, data: FrameData, ctx: Context) -> Mapping[str, Any]:
    """Minimise the entrant's loss on batches cut to their longest; decode the test."""
    module = ctx.prepare(entrant.build(inputs=data.templates.shape[1], symbols=SYMBOLS))
    if hasattr(module, "told"):
        module.told(torch.tensor(data.templates))
    frames, lengths, labels = (torch.tensor(part) for part in data.train)
    if hasattr(module, "loss"):
        draw = batches(len(frames), ctx.budget["batch"], ctx)

        def loss(_: int) -> Tensor:
            index = next(draw)
            size = lengths[index]
            return module.loss(frames[index, : size.max()].to(ctx.device), size, labels[index].to(ctx.device))

        train(module, loss, ctx)
    asked, sizes, truth = (torch.tensor(part) for part in data.test)
    with ctx.timer("predict"), torch.no_grad():
        found = [
            string
            for x, n in zip(asked.split(100), sizes.split(100), strict=True)
            for string in module.decode(x[:, : n.max()].to(ctx.device), n)
        ]
    if len(found) != len(asked):
        raise AssayError(f"{entrant.id}: decode gave {len(found)} strings for {len(asked)}")
    if hasattr(module, "loss"):
        with ctx.count_flops():
            module.loss(asked[:1, : sizes[0]].to(ctx.device), sizes[:1], truth[:1].to(ctx.device))
    return {"module": module, "found": found, "truth": [row[row >= 0].tolist() for row in truth]}


def edits(found: Sequence[int], truth: Sequence[int]) -> int:
    """Return the least number of insertions, deletions and substitutions between two strings (Levenshtein)."""
    row = list(range(len(truth) + 1))
    for i, a in enumerate(found, start=1):
        previous, row[0] = row[0], i
        for j, b in enumerate(truth, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def label_error_rate(outcome: Mapping[str, Any]) -> float:
    """Edits over all test strings, divided by the length of the true ones."""
    pairs = list(zip(outcome["found"], outcome["truth"], strict=True))
    return sum(edits(a, b) for a, b in pairs) / sum(len(b) for _, b in pairs)


ID = "sequences/unaligned-transduction"
DATASETS = [
    Dataset(
        "stretched-tokens", "frames-and-labels", stretched_tokens, title="symbols stretched over frames, synthetic"
    ),
    Dataset("stretched-long", "frames-and-labels", stretched_long, title="two symbols a frame, synthetic"),
]
MODELS = [Model("ctc", ID, CTC), Model("framewise-majority", ID, FramewiseMajority)]
METRICS = [
    Metric(
        "label_error_rate", label_error_rate, ("found", "truth"), "down", "edits per label", bounds=(0.0, float("inf"))
    )
]
TASK = Task(
    ID,
    schema="frames-and-labels",
    run=run,
    metrics=("label_error_rate",),
    dataset="stretched-tokens",
    title="Label frames of unknown alignment",
    contract="build(inputs, symbols) gives a module: loss(frames (B, T, inputs), lengths (B,), labels (B, U) with -1 behind the "
    "end) -> scalar and decode(frames, lengths) -> a list of strings, symbols 0..symbols - 1. All use the suite's Encoder.",
    budgets={
        "smoke": {"steps": 20, "batch": 16, "lr": 2e-3},
        "small": {"steps": 400, "batch": 32, "lr": 4e-3},
        "full": {"steps": 20_000, "batch": 32, "lr": 1e-3},
    },
    baselines=("ctc", "framewise-majority"),
)
