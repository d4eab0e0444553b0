"""Looped transformer (Giannou et al., 2023, arXiv:2301.13196): hand-set weights that execute SUBLEQ, one instruction a loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, trend, worst
from torch import Tensor, nn

BITS = 8  # of a memory cell, two's complement
Ints = Sequence[int]
Program = Sequence[tuple[int, int, int]]
Unit = tuple[dict[int, float], float, dict[int, float]]  # a ReLU: weights in, bias, weights out


def code(numbers: Ints | Tensor, bits: int) -> Tensor:
    """Return binary digits (N, bits) of integers (N,), the lowest first, as -1 and 1; two's complement below 0."""
    return 2.0 * (torch.as_tensor(numbers)[:, None] >> torch.arange(bits) & 1) - 1.0


class Layer(nn.Module):
    """x (B, n, D) -> x + sum_h softmax(lambda (x Q_h) (x K_h)^T) x V_h, then x + relu(x W_1 + b) W_2.

    Nothing else: the weights are set by hand, a head or a unit at a time, and fixed in tensors by `freeze`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.heads: list[tuple[Tensor, Tensor, Tensor]] = []
        self.units: list[Unit] = []

    def head(self, queries: Ints, keys: Ints, copied: Ints, into: Ints) -> None:
        """Attend by the sum of products of channels, `queries` here, `keys` there; add `copied` there to `into` here."""
        (q, k), v = torch.zeros(2, self.width, len(queries)), torch.zeros(self.width, self.width)
        q[queries, range(len(queries))], k[keys, range(len(keys))], v[copied, into] = 1.0, 1.0, 1.0
        self.heads.append((q, k, v))

    def gated(self, sources: Ints, gate: int, targets: Ints, weight: float = 1.0) -> None:
        """Add weight * source * [gate = 1] to each target, sources in [-1, 1] and gates 0 or 1: a pair of ReLUs."""
        for source, target in zip(sources, targets, strict=True):
            for sign in (1.0, -1.0):
                self.units.append(({source: sign, gate: 2.0}, -2.0, {target: sign * weight}))

    def clear(self, channels: Ints) -> None:
        """Set channels to 0 in every column."""
        self.units.extend(({c: sign}, 0.0, {c: -sign}) for c in channels for sign in (1.0, -1.0))

    def step(self, total: dict[int, float], bias: float, gate: int, target: int, height: float) -> None:
        """Add height * [total + bias >= 0] for integer totals, where gate = 1: saturates outside (-.75, -.25)."""
        wide = 4.0 * (1.0 + sum(map(abs, total.values())) + abs(bias))
        for sign, edge in ((2.0, 0.75), (-2.0, 0.25)):
            inputs = {**total, gate: total.get(gate, 0.0) + wide}
            self.units.append((inputs, bias + edge - wide, {target: sign * height}))

    def freeze(self) -> Layer:
        """Write the units' weights into tensors; return self."""
        inner, outer = torch.zeros(2, len(self.units), self.width)
        for row, (inputs, _, outputs) in enumerate(self.units):
            inner[row, list(inputs)] = torch.tensor(list(inputs.values()))
            outer[row, list(outputs)] = torch.tensor(list(outputs.values()))
        self.inner, self.bias, self.outer = inner.T, torch.tensor([unit[1] for unit in self.units]), outer
        return self

    def forward(self, x: Tensor, temperature: float) -> Tensor:
        """Return the next state."""
        x = x + sum(((x @ q) @ (x @ k).mT).mul(temperature).softmax(-1) @ (x @ v) for q, k, v in self.heads)
        return x + (x @ self.inner + self.bias).relu() @ self.outer


class Computer:
    """n columns: 0 is scratch (program counter, registers), then memory, then instructions (a, b, c), addresses of columns.

    mem[b] <- mem[b] - mem[a]; if the result <= 0 go to c. Columns behind the program stop by jumping to themselves.
    """

    def __init__(self, n: int) -> None:
        self.n, self.address = n, math.ceil(math.log2(n))
        sizes = {"one": 1, "scratch": 1, "idle": 1, "place": self.address, "mem": BITS, "match": 1, "flag": 1}
        sizes |= dict.fromkeys(("a", "b", "c", "ra", "rb", "rc", "pc", "next", "ta", "tb", "tc"), self.address)
        sizes |= dict.fromkeys(("va", "vb", "result", "ma", "mb"), BITS)
        self.width, channels = sum(sizes.values()), iter(range(sum(sizes.values())))
        self.at = {name: [next(channels) for _ in range(size)] for name, size in sizes.items()}
        self.layers = self._layers()

    def _layers(self) -> list[Layer]:
        at = self.at
        (scratch,), (one,), (match,), (flag,) = at["scratch"], at["one"], at["match"], at["flag"]
        fetch, read, subtract, write, jump = (Layer(self.width) for _ in range(5))
        # Fetch: the column whose place is pc gives a, b, c; what reached other columns than scratch is thrown away.
        fetch.head(at["pc"], at["place"], at["a"] + at["b"] + at["c"], at["ta"] + at["tb"] + at["tc"])
        for r in "abc":
            fetch.gated(at["t" + r], scratch, at["r" + r])
            fetch.clear(at["t" + r])
        for r in "ab":
            read.head(at["r" + r], at["place"], at["mem"], at["m" + r])
            read.gated(at["m" + r], scratch, at["v" + r])
            read.clear(at["m" + r])
        # b - a = b + not a + 1, and pc + 1: with s the sum of the k + 1 low bits and of the 1, which is below 2^(k+2), bit k
        # is [s >= 2^k] - [s >= 2 2^k] + [s >= 3 2^k]. A bit is (channel + 1) / 2, or (1 - channel) / 2 where it is inverted.
        for terms, target in (({"vb": 0.5, "va": -0.5}, at["result"]), ({"pc": 0.5}, at["next"])):
            for k, digit in enumerate(target):
                total = {at[r][i]: half * 2.0**i for r, half in terms.items() for i in range(k + 1)}
                offset = len(terms) * (2.0 ** (k + 1) - 1) / 2 + 1
                for multiple, height in ((1, 2.0), (2, -2.0), (3, 2.0)):
                    subtract.step(total, offset - multiple * 2.0**k, scratch, digit, height)
                subtract.units.append(({scratch: 1.0}, 0.0, {digit: -1.0}))
        # Write: column b finds its place in scratch's register; every other column prefers those but scratch, by one digit.
        write.head([*at["place"], one], [*at["rb"], *at["idle"]], [*at["result"], scratch], [*at["ma"], match])
        write.gated(at["ma"], match, at["mem"])
        write.gated(at["mem"], match, at["mem"], -1.0)
        write.clear([*at["ma"], match])
        # Flag: 1, less [result != 0], and [result < 0].
        bits = {channel: 2.0**k / 2 for k, channel in enumerate(at["result"])}
        write.units.append(({scratch: 1.0}, 0.0, {flag: 1.0}))
        write.step(bits, (2.0**BITS - 1) / 2 - 1, scratch, flag, -1.0)
        write.step({at["result"][-1]: 0.5}, -0.5, scratch, flag, 1.0)
        jump.gated(at["rc"], flag, at["pc"])
        for after, pc in zip(at["next"], at["pc"], strict=True):  # where flag = 0
            jump.units.extend(({after: sign, flag: -2.0}, 0.0, {pc: sign}) for sign in (1.0, -1.0))
        jump.clear([c for r in ("pc", "next", "ra", "rb", "rc", "va", "vb", "result", "flag") for c in at[r]])
        return [layer.freeze() for layer in (fetch, read, subtract, write, jump)]

    def load(self, memory: Ints, program: Program) -> Tensor:
        """Return the state (n, D): a cell for each integer from column 1 on, and the instructions behind them."""
        at, x, first = self.at, torch.zeros(self.n, self.width), 1 + len(memory)
        x[:, at["one"]], x[0, at["scratch"]], x[0, at["pc"]] = 1.0, 1.0, code([first], self.address)[0]
        x[:, at["place"]], x[1:, at["idle"]] = code(torch.arange(self.n), self.address), self.address - 1.0
        x[1:first, at["mem"]] = code(memory, BITS)
        # the last cell is 0 and stays so: less itself it is 0, so the program goes where it is told, to the same column
        stops = [(first - 1, first - 1, column) for column in range(first + len(program), self.n)]
        for r, addresses in zip("abc", zip(*program, *stops, strict=True), strict=True):
            x[first:, at[r]] = code(addresses, self.address)
        return x


def interpret(memory: Ints, program: Program, steps: int) -> list[list[int]]:
    """Return the memory after each of `steps` instructions of plain SUBLEQ; nothing happens behind the program's end."""
    cells, pc, seen = list(memory), 0, []
    for _ in range(steps):
        if pc < len(program):
            a, b, c = program[pc]
            cells[b - 1] = (cells[b - 1] - cells[a - 1] + 2 ** (BITS - 1)) % 2**BITS - 2 ** (BITS - 1)
            pc = c - 1 - len(cells) if cells[b - 1] <= 0 else pc + 1
        seen.append(list(cells))
    return seen


def multiply(x: int, y: int, cells: int = 6) -> tuple[list[int], Program]:
    """Return memory and program of cell 3 <- x y (y > 0): x is added y times, by two subtractions each."""
    i = cells + 1
    body = [(1, cells, i + 1), (cells, 3, i + 2), (cells, cells, i + 3), (4, 2, i + 5), (cells, cells, i)]
    return [x, y, 0, 1, *[0] * (cells - 4)], body


def programs(rng: np.random.Generator, count: int, n: int) -> list[tuple[list[int], Program]]:
    """Return multiplication and random programs on n columns: a quarter is memory, whose last cell is never written."""
    cells = max(6, n // 4)
    found = [multiply(int(rng.integers(-9, 10)), int(rng.integers(1, 6)), cells)]
    for _ in range(count):
        body = rng.integers([1, 1, cells + 1], [cells + 1, cells, n], (n - cells - 2, 3))
        found.append(([*rng.integers(-128, 128, cells - 1).tolist(), 0], body.tolist()))
    return found


def executes(
    rng: np.random.Generator, n: int = 32, temperature: float | None = None, count: int = 20, steps: int = 32
) -> Mapping[str, float]:
    """Largest difference, over loops, programs, cells and bits (-1 or 1), between the transformer and an interpreter.

    `temperature` is lambda, 50 log n where none is given.
    """
    computer, jobs, error = Computer(n), programs(rng, count, n), 0.0
    x, cells = torch.stack([computer.load(*job) for job in jobs]), len(jobs[0][0])
    truth = torch.tensor([interpret(*job, steps) for job in jobs])
    for step in range(steps):
        for layer in computer.layers:
            x = layer(x, 50 * math.log(n) if temperature is None else temperature)
        found, wanted = x[:, 1 : 1 + cells, computer.at["mem"]], code(truth[:, step].flatten(), BITS)
        error = max(error, float((found.flatten(0, 1) - wanted).abs().max()))
    return {"max_error": error}


def depth(rng: np.random.Generator, sizes: tuple[int, ...] = (16, 64, 256)) -> Mapping[str, float]:
    """Range of the number of layers over numbers of columns, and the largest error with which the same computers run."""
    layers = [len(Computer(n).layers) for n in sizes]
    errors = [executes(rng, n, count=2, steps=12)["max_error"] for n in sizes]
    return {"layers_per_loop_range": max(layers) - min(layers), "max_error": max(errors)}


ID = "sequences/layer-identities"
SHARPNESS = (4.0, 10.0, 12.0, 14.0, 16.0, 20.0)


@hookimpl
def assay_models() -> list[Model]:
    """Return the probes."""
    soft = {"temperature": SHARPNESS}
    return [
        Model("subleq-transformer", ID, executes, knobs={"n": (16, 32, 64)}),
        Model("subleq-depth", ID, depth),
        Model("subleq-soft", ID, executes, {"temperature": 10.0}, soft, ablates="subleq-transformer"),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    error, layers = score("max_error", task=ID), score("layers_per_loop_range", task=ID)
    return [
        Paper(
            "looped-computer",
            title="Looped Transformers as Programmable Computers",
            year=2023,
            arxiv="2301.13196",
            family="sequences",
            notes="Five layers a loop, of which three attend; the paper's machine has other instructions and another count. The "
            "memory is compared after every instruction, not only after halting, as random programs often never halt: "
            "multiplication and 20 programs that fill the columns, a quarter of which are memory. Subtraction is one ReLU "
            "layer that thresholds weighted sums of bits. Softness lambda leaves an error of some n exp(-lambda) in a bit that "
            "is read, and the thresholds bear a quarter of the lowest bit: in the pilot carries broke at lambda = 10 and 32 "
            "columns, and not at 12.",
            claims=[
                Claim(
                    "runs-programs",
                    worst(error("subleq-transformer")) <= 1e-3,
                    says="A looped transformer of constant depth executes SUBLEQ programs exactly.",
                    published="proved",
                ),
                Claim(
                    "depth-constant",
                    (worst(layers("subleq-depth")) <= 0) & (worst(error("subleq-depth")) <= 1e-3),
                    says="The layers of a loop do not grow with program and memory: as many for 16, 64 and 256 columns.",
                    published="proved",
                ),
                Claim(
                    "temperature-matters",
                    trend(error("subleq-soft"), over="temperature", at=SHARPNESS) < 0,
                    says="The error comes from soft attention and vanishes as its sharpness lambda grows.",
                ),
            ],
        )
    ]
