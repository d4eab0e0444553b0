"""The plain entrants that every paper of this family has to beat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from assay import Model
from torch import Tensor, nn


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of the given widths with an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def masked_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over real elements: x (B, N, D), mask (B, N) or None for all, to (B, D)."""
    if mask is None:
        return x.mean(1)
    weight = mask[..., None].to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp_min(1)


class FlatMLP(nn.Module):
    """(B, N, inputs) -> (B, classes): the points' coordinates in the order given, as one long vector.

    A cloud of another size than `points` is thinned or repeated to it.
    """

    def __init__(self, inputs: int, classes: int, points: int = 64) -> None:
        super().__init__()
        self.points = points
        self.net = mlp(points * inputs, 256, 128, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Return logits."""
        index = torch.arange(self.points, device=points.device) % points.shape[1]
        return self.net(points[:, index].flatten(1))


class MeanPoolMLP(nn.Module):
    """(B, N, inputs) -> (B, outputs): an MLP an element, the mean over real elements, an MLP."""

    def __init__(self, inputs: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.each, self.whole = mlp(inputs, width, width), mlp(width, width, outputs)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits or predictions."""
        return self.whole(masked_mean(self.each(x).relu(), mask))


class GRUSet(nn.Module):
    """(B, N, inputs) -> (B, outputs): a GRU over the elements in the order given, its last state, a linear map."""

    def __init__(self, inputs: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(inputs, width, batch_first=True), nn.Linear(width, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return predictions. Real elements come first, as the data keep them."""
        states, _ = self.gru(x)
        last = mask.sum(1).clamp_min(1) - 1
        return self.out(states[torch.arange(len(x), device=x.device), last])


class KernelMeanRidge(nn.Module):
    """(B, N, inputs) -> (B, outputs): kernel mean embedding by random Fourier features, then a linear model.

    Features cos(w.x + b) of a Gaussian kernel whose bandwidth is the median distance of elements (Rahimi and Recht
    2007; Muandet et al. 2017), averaged over the set. Ridge regression with the penalty chosen by generalised
    cross-validation, for classes on their indicators.
    """

    def __init__(self, inputs: int, outputs: int = 0, classes: int = 0, features: int = 256) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("frequency", torch.randn(inputs, features))
        self.register_buffer("phase", 2 * torch.pi * torch.rand(features))
        self.register_buffer("weight", torch.zeros(classes or outputs, features))
        self.register_buffer("bias", torch.zeros(classes or outputs))

    def embed(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean over real elements of the features, scaled to unit variance: (B, features)."""
        return masked_mean(2**0.5 * torch.cos(x @ self.frequency + self.phase), mask)

    def fit(self, x: Tensor, *rest: Tensor) -> None:
        """Set bandwidth and weights from x (n, N, inputs), mask (n, N) when there is one, and labels or targets."""
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV  # costly to import: only who fits it pays
        from sklearn.preprocessing import StandardScaler

        mask, target = rest if len(rest) == 2 else (None, *rest)
        elements = x[mask] if mask is not None else x.flatten(0, 1)
        sample = elements[torch.randperm(len(elements))[:500]]
        self.frequency /= torch.pdist(sample).median()
        inputs = self.embed(x, mask).numpy()
        scale = StandardScaler().fit(inputs)
        ridge = RidgeClassifierCV if self.classes else RidgeCV
        linear = ridge(np.logspace(-6, 2, 9)).fit(scale.transform(inputs), target.numpy())
        weight = linear.coef_ / scale.scale_
        self.weight.copy_(torch.tensor(weight))
        self.bias.copy_(torch.tensor(linear.intercept_ - weight @ scale.mean_))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits or predictions."""
        return self.embed(x, mask) @ self.weight.T + self.bias


def classifier(inputs: int, classes: int, width: int = 64) -> MeanPoolMLP:
    """Return the mean-pool MLP with an output a class."""
    return MeanPoolMLP(inputs, classes, width)


MODELS = [
    Model("flat-mlp", task="sets/point-clouds", build=FlatMLP),
    Model("mean-pool-mlp", task="sets/point-clouds", build=classifier),
    Model("kme-ridge", task="sets/point-clouds", build=KernelMeanRidge),
    Model("gru-set", task="sets/set-statistics", build=GRUSet),
    Model("mean-pool-mlp", task="sets/set-statistics", build=MeanPoolMLP),
    Model("kme-ridge", task="sets/set-statistics", build=KernelMeanRidge),
]
