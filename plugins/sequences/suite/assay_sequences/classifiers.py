"""The plain classifiers of sequences/signal-classification."""

from __future__ import annotations

import torch
from assay import Model
from torch import Tensor, nn

from assay_sequences.kit.attention import Attention
from assay_sequences.kit.models import Block

TASK = "sequences/signal-classification"


def patched(signals: Tensor, size: int) -> Tensor:
    """Return signals (B, T, C) as patches (B, T / size, size * C), zeros behind an incomplete one."""
    short = -signals.shape[1] % size
    return nn.functional.pad(signals, (0, 0, 0, short)).unflatten(1, (-1, size)).flatten(2)


def sinusoids(length: int, width: int) -> Tensor:
    """Return the positions (length, width) of Vaswani et al. 2017."""
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class GRUClassifier(nn.Module):
    """Signals (B, T, channels) -> logits (B, classes): one GRU of 64 units, its last state."""

    def __init__(self, channels: int, classes: int, length: int) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(channels, 64, batch_first=True), nn.Linear(64, classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.gru(signals)[0][:, -1])


class ConvClassifier(nn.Module):
    """Signals (B, T, channels) -> logits (B, classes): three convolutions of width 7, dilated by 1, 4 and 16, max over time."""

    def __init__(self, channels: int, classes: int, length: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, dilation in ((channels, 1), (32, 4), (32, 16)):
            layers += [nn.Conv1d(inputs, 32, 7, padding="same", dilation=dilation), nn.ReLU()]
        self.net, self.head = nn.Sequential(*layers), nn.Linear(32, classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.net(signals.mT).amax(2))


class TransformerClassifier(nn.Module):
    """Signals (B, T, channels) -> logits (B, classes): two layers of width 32 on patches of 4 steps, sinusoids, the mean."""

    def __init__(self, channels: int, classes: int, length: int, patch: int = 4, width: int = 32) -> None:
        super().__init__()
        self.patch, self.into = patch, nn.Linear(patch * channels, width)
        self.blocks = nn.ModuleList(Block(width, Attention(width, 4, causal=False)) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        self.register_buffer("places", sinusoids(-(-length // patch), width))

    def states(self, patches: Tensor) -> Tensor:
        """Return states (B, P, width) of patches (B, P, patch * channels)."""
        x = self.into(patches) + self.places[: patches.shape[1]]
        for block in self.blocks:
            x, _ = block(x)
        return self.norm(x)

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.states(patched(signals, self.patch)).mean(1))


MODELS = [
    Model("gru-classifier", TASK, GRUClassifier),
    Model("conv1d-classifier", TASK, ConvClassifier),
    Model("transformer-classifier", TASK, TransformerClassifier),
]
