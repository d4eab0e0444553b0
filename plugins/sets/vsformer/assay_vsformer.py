"""VSFormer (Sun et al., 2024, arXiv:2409.09254): a set of views, attended to in pairs, without positions or class token."""

from __future__ import annotations

from typing import Any

import torch
from assay import Claim, Model, Paper, hookimpl, score, worst
from assay_sets.view_sets import WIDTH
from torch import Tensor, nn

LISTED = 24
"""Rows of the table of positions that the ablation learns."""


class VSFormer(nn.Module):
    """(B, V, 1, H, W) -> (B, classes): self-attention among the views' codes, their max and mean joined, a head (sec. 3).

    Attention is over all pairs of V x V; stacked blocks make correlations of higher order. Ablations: `position` adds a
    learned code of a view's place in the list, `token` reads a class token instead of pooling, `blocks` = 0 leaves
    attention out.
    """

    def __init__(
        self, encoder: nn.Module, head: Any, blocks: int = 2, position: bool = False, token: bool = False
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.position = nn.Parameter(0.1 * torch.randn(LISTED, WIDTH)) if position else None
        self.token = nn.Parameter(0.1 * torch.randn(1, 1, WIDTH)) if token else None
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(blocks)
        )
        width = WIDTH if token else 2 * WIDTH
        self.decoder = nn.Sequential(nn.BatchNorm1d(width), nn.Dropout(0.5), head(width))

    def describe(self, codes: Tensor) -> Tensor:
        """Return the descriptor (B, 2 d) of a set of codes (B, V, d)."""
        if self.position is not None:
            place = torch.arange(codes.shape[1], device=codes.device).clamp(max=LISTED - 1)
            codes = codes + self.position[place]
        if self.token is not None:
            codes = torch.cat([self.token.expand(len(codes), -1, -1), codes], 1)
        for block in self.blocks:
            codes = block(codes)
        return codes[:, 0] if self.token is not None else torch.cat([codes.amax(1), codes.mean(1)], -1)

    def forward(self, views: Tensor) -> Tensor:
        """Return logits."""
        return self.decoder(self.describe(self.encoder(views)))


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants, for recognition only: the decoder is a classifier's."""
    task, datasets = "sets/view-sets", ("shape-views", "digit-glimpses")
    return [
        Model("vsformer", task, VSFormer, datasets=datasets),
        *(
            Model(f"vsformer-{name}", task, VSFormer, params, ablates="vsformer", datasets=datasets)
            for name, params in (("pos", {"position": True}), ("cls", {"token": True}), ("0", {"blocks": 0}))
        ),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    acc, gap = (score(metric, task="sets/view-sets", dataset="shape-views") for metric in ("accuracy", "perm_gap"))
    return [
        Paper(
            "vsformer",
            title="VSFormer: Mining Correlations in Flexible View Set for Multi-view 3D Shape Understanding",
            year=2024,
            arxiv="2409.09254",
            family="sets",
            notes="Under the arena's one recipe: Adam, no label smoothing. All entrants share the first stage, in which the "
            "view encoder learns single views.",
            claims=[
                Claim(
                    "view-order-free",
                    (worst(gap("vsformer")) <= 1e-9) & (worst(gap("vsformer-pos")) >= 1e-4),
                    says="The descriptor does not depend on the order of the views; with positional codes it does.",
                    published="proved",
                ),
                Claim(
                    "correlations-help",
                    acc("vsformer", test_views=8) - acc("view-max-pool", test_views=8) > 0.01,
                    says="Correlations of pairs of views beat plain pooling of views (MVCNN).",
                    published="98.4 % on ModelNet40",
                ),
                Claim(
                    "position-not-needed",
                    acc("vsformer", test_views=8) - acc("vsformer-pos", test_views=8) > -0.005,
                    says="Leaving positional codes out costs nothing where views have no order.",
                ),
            ],
        )
    ]
