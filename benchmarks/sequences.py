"""Measure the training step of the sequences kit beside two peers: a hand-written loop and x-transformers.

    python benchmarks/sequences.py [--cpu] [--rounds N]

The same decoder (two layers, learned positions, pre-norm, MLP of four widths), the same AdamW, clipping and batches, one
thread. Rounds take turns, so that what slows the machine slows all; the table has the median tokens a second, the ratio
to each peer (median of the rounds' ratios), and the share of this machine's float32 matmul peak that the step's
matrix products reach. `--cpu` counts processor time, which a busy machine stretches less.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import torch
from assay_sequences import kit
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

SHAPES = ((13, 64, 17, 48, 4), (32, 16, 128, 64, 2), (64, 64, 32, 48, 2), (256, 16, 256, 128, 4))
"""Vocabulary, batch, length, width, heads."""
STEPS = 10
LAYERS = 2


class ByHand(nn.Module):
    """Tokens (B, T) -> logits (B, T, vocab): what one writes after reading nanoGPT, with torch's own attention."""

    def __init__(self, vocab: int, length: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.embed, self.places = nn.Embedding(vocab, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "n1": nn.LayerNorm(width),
                    "qkv": nn.Linear(width, 3 * width, bias=False),
                    "out": nn.Linear(width, width, bias=False),
                    "n2": nn.LayerNorm(width),
                    "up": nn.Linear(width, 4 * width),
                    "down": nn.Linear(4 * width, width),
                }
            )
            for _ in range(LAYERS)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits."""
        x = self.embed(tokens) + self.places(torch.arange(tokens.shape[1]))
        batch, length, width = x.shape
        for layer in self.layers:
            q, k, v = layer["qkv"](layer["n1"](x)).split(width, 2)
            q, k, v = (a.view(batch, length, self.heads, -1).transpose(1, 2) for a in (q, k, v))
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + layer["out"](mixed.transpose(1, 2).contiguous().view(batch, length, width))
            x = x + layer["down"](nn.functional.gelu(layer["up"](layer["n2"](x))))
        return self.head(self.norm(x))


def adamw(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01)


def loop(model: nn.Module, adam: torch.optim.AdamW, vocab: int, batch: int, length: int) -> Callable[[], None]:
    """Return a step of the usual loop."""

    def step() -> None:
        tokens = torch.randint(vocab, (batch, length + 1))
        logits = model(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.reshape(-1, vocab), tokens[:, 1:].reshape(-1))
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step


def by_hand(vocab: int, batch: int, length: int, width: int, heads: int) -> Callable[[], None]:
    """Return a step of the usual hand-written loop, with its schedule."""
    model = ByHand(vocab, length, width, heads)
    adam = adamw(model)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 2e-3, total_steps=100_000, cycle_momentum=False)
    train = loop(model, adam, vocab, batch, length)

    def step() -> None:
        train()
        schedule.step()

    return step


def x_transformers(vocab: int, batch: int, length: int, width: int, heads: int) -> Callable[[], None]:
    """Return a step of the same loop, without a schedule, around x-transformers' decoder."""
    from x_transformers import Decoder, TransformerWrapper

    layers = Decoder(dim=width, depth=LAYERS, heads=heads, attn_dim_head=width // heads, ff_mult=4, attn_flash=True)
    model = TransformerWrapper(num_tokens=vocab, max_seq_len=length, attn_layers=layers)
    return loop(model, adamw(model), vocab, batch, length)


def of_kit(vocab: int, batch: int, length: int, width: int, heads: int) -> Callable[[], None]:
    """Return `STEPS` steps of `kit.train` at once, as one call, divided by the caller."""
    from assay import Context
    from assay.spec import Cell

    model = kit.decoder(vocab, length, width=width, heads=heads, layers=LAYERS)
    ctx = Context(Cell("sequences/t", "sequences/d", "m", (), 0, "small"), {"steps": STEPS, "lr": 2e-3})

    def loss(_: int) -> Tensor:
        tokens = torch.randint(vocab, (batch, length + 1))
        return kit.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])

    return lambda: kit.train(model, loss, ctx) and None


def flops(vocab: int, batch: int, length: int, width: int, heads: int) -> int:
    """Return the floating-point operations of a step's forward and backward pass."""
    model, tokens = kit.decoder(vocab, length, width=width, heads=heads), torch.randint(vocab, (batch, length))
    counter = FlopCounterMode(display=False)
    with counter:
        kit.cross_entropy(model(tokens), tokens).backward()
    return counter.get_total_flops()


def peak(clock: Callable[[], float]) -> float:
    """Return the operations a second of a product of 512 x 512 matrices, the best of 20."""
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    seconds = []
    for _ in range(20):
        start = clock()
        torch.mm(a, b)
        seconds.append(clock() - start)
    return 2 * 512**3 / min(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="count processor time")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    torch.set_num_threads(1)
    torch.manual_seed(0)
    makers: dict[str, tuple[Callable[..., Callable[[], None]], int]] = {"by hand": (by_hand, STEPS)}
    if importlib.util.find_spec("x_transformers"):
        makers["x-transformers"] = (x_transformers, STEPS)
    top = peak(clock)
    print(f"matmul peak {top / 1e9:.0f} GFLOP/s, one thread")
    for shape in SHAPES:
        vocab, batch, length, width, _ = shape
        ours, peers = of_kit(*shape), {name: make(*shape) for name, (make, _) in makers.items()}
        times: dict[str, list[float]] = {name: [] for name in ("kit", *peers)}
        for turn in range(arguments.rounds + 1):
            for name in times:
                start = clock()
                if name == "kit":
                    ours()
                else:
                    for _ in range(STEPS):
                        peers[name]()
                if turn:  # the first round warms up
                    times[name].append((clock() - start) / STEPS)
        middle = {name: statistics.median(values) for name, values in times.items()}
        share = flops(*shape) / min(times["kit"]) / top
        speeds = ", ".join(f"{name} {batch * length / seconds:,.0f}" for name, seconds in middle.items())
        ratios = ", ".join(
            f"{statistics.median(b / a for a, b in zip(times['kit'], times[name], strict=True)):.2f}x {name}"
            for name in peers
        )
        print(f"vocab {vocab}, {batch} x {length}, width {width}: tokens/s {speeds}; {ratios}; {share:.0%} of peak")


if __name__ == "__main__":
    main()
