"""Looped transformer (Giannou et al., 2023, arXiv:2301.13196): hand-set weights that execute SUBLEQ, one instruction a loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, trend, worst
from torch import Tensor

BITS = 8
"""Width of a memory cell, two's complement."""
Program = Sequence[tuple[int, int, int]]
Unit = tuple[dict[int, float], float, dict[int, float]]
"""A ReLU: weights in, bias, weights out."""


def code(number: int, bits: int) -> Tensor:
    """Return the binary digits of a number, the lowest first, as -1 and 1 (sec. 3)."""
    return torch.tensor([1.0 if number >> k & 1 else -1.0 for k in range(bits)])


def value(cells: Tensor) -> Tensor:
    """Return the signed integers (...) that cells (..., BITS) hold."""
    weights = torch.tensor([2.0**k for k in range(BITS - 1)] + [-(2.0 ** (BITS - 1))]).to(cells)
    return (((cells > 0).to(cells) * weights).sum(-1)).long()


@dataclass
class Layer:
    """x (B, n, D) -> x + sum_h softmax(lambda Q_h K_h^T) V_h, then x + W_2 relu(W_1 x + b) (eq. 1)."""

    width: int
    heads: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)

    def head(self, match: list[tuple[int, int, float]], copy: list[tuple[int, int]]) -> None:
        """Attend by the sum over (i, j, w) of w query[i] key[j]; add channel i there to channel j here."""
        q, k, v = torch.zeros(3, self.width, max(self.width, len(match)))
        for place, (i, j, weight) in enumerate(match):
            q[i, place] += weight
            k[j, place] += 1.0
        for i, j in copy:
            v[i, j] = 1.0
        self.heads.append((q, k, v))

    def gated(self, source: int, gate: int, targets: dict[int, float]) -> None:
        """Add source * [gate = 1], for sources in [-1, 1] and gates 0 or 1, times weights: a pair of ReLUs."""
        for sign in (1.0, -1.0):
            self.units.append(({source: sign, gate: 2.0}, -2.0, {t: sign * w for t, w in targets.items()}))

    def clear(self, channels: Sequence[int]) -> None:
        """Set channels to 0 in every column."""
        self.units.extend(({c: sign}, 0.0, {c: -sign}) for c in channels for sign in (1.0, -1.0))

    def step(self, total: dict[int, float], bias: float, gate: int, target: int, height: float) -> None:
        """Add height * [total + bias >= 0] for integer totals, where gate = 1: saturates outside (-.75, -.25)."""
        wide = 4.0 * (1.0 + sum(map(abs, total.values())) + abs(bias))
        for sign, edge in ((2.0, 0.75), (-2.0, 0.25)):
            inputs = {**total, gate: total.get(gate, 0.0) + wide}
            self.units.append((inputs, bias + edge - wide, {target: sign * height}))

    def __call__(self, x: Tensor, temperature: float) -> Tensor:
        """Return the next state."""
        attended = [
            ((x @ q) @ (x @ k).mT).mul(temperature).softmax(-1) @ (x @ v)[..., : self.width] for q, k, v in self.heads
        ]
        x = x + sum(attended)
        inner, outer = torch.zeros(2, len(self.units), self.width)
        for row, (inputs, _, outputs) in enumerate(self.units):
            inner[row, list(inputs)] = torch.tensor(list(inputs.values()))
            outer[row, list(outputs)] = torch.tensor(list(outputs.values()))
        bias = torch.tensor([unit[1] for unit in self.units])
        return x + (x @ inner.T + bias).relu() @ outer


class Computer:
    """n columns: 0 is scratch (program counter, registers), `cells` of memory, then instructions (a, b, c), addresses of columns.

    mem[b] <- mem[b] - mem[a]; if the result <= 0 go to c (sec. 4). The last instruction column stops by jumping to itself.
    """

    def __init__(self, n: int, cells: int = 6) -> None:
        self.n, self.cells, self.address = n, cells, max(1, math.ceil(math.log2(n)))
        sizes = {"one": 1, "scratch": 1, "place": self.address, "mem": BITS, "match": 1, "flag": 1}
        sizes |= dict.fromkeys(("a", "b", "c", "ra", "rb", "rc", "pc", "next", "ta", "tb", "tc"), self.address)
        sizes |= dict.fromkeys(("va", "vb", "result", "ma", "mb"), BITS)
        self.at: dict[str, list[int]] = {}
        for name, size in sizes.items():
            start = sum(map(len, self.at.values()))
            self.at[name] = list(range(start, start + size))
        self.width = sum(sizes.values())
        self.layers = self._layers()

    def _layers(self) -> list[Layer]:
        at, both = self.at, zip
        (scratch,), (one,), (match,), (flag,) = at["scratch"], at["one"], at["match"], at["flag"]
        fetch, read, subtract, write, jump = (Layer(self.width) for _ in range(5))
        # Fetch: the column whose place is pc gives a, b, c; what reached other columns than scratch is thrown away.
        keys = [(i, j, 1.0) for i, j in both(at["pc"], at["place"], strict=True)]
        fetch.head(keys, [p for r in "abc" for p in both(at[r], at["t" + r], strict=True)])
        for r in "abc":
            for i, j in both(at["t" + r], at["r" + r], strict=True):
                fetch.gated(i, scratch, {j: 1.0})
            fetch.clear(at["t" + r])
        for r in "ab":
            read.head(
                [(i, j, 1.0) for i, j in both(at["r" + r], at["place"], strict=True)],
                list(both(at["mem"], at["m" + r], strict=True)),
            )
            for i, j in both(at["m" + r], at["v" + r], strict=True):
                read.gated(i, scratch, {j: 1.0})
            read.clear(at["m" + r])
        # b - a = b + not a + 1: bit k of the sum s of the low bits is [s >= 2^k] - [s >= 2^(k+1)] + [s >= 3 2^k] (lemma 4).
        for k in range(BITS):
            total = {at["vb"][i]: 2.0**i / 2 for i in range(k + 1)} | {at["va"][i]: -(2.0**i) / 2 for i in range(k + 1)}
            offset = 2.0 ** (k + 1)  # two times the halves of 2^(k+1) - 1, and the 1
            for threshold, sign in ((2.0**k, 2.0), (2.0 ** (k + 1), -2.0), (3 * 2.0**k, 2.0)):
                subtract.step(total, offset - threshold, scratch, at["result"][k], sign)
            subtract.units.append(({scratch: 1.0}, 0.0, {at["result"][k]: -1.0}))
        for k in range(self.address):  # pc + 1 in the same way
            total = {at["pc"][i]: 2.0**i / 2 for i in range(k + 1)}
            offset = (2.0 ** (k + 1) - 1) / 2 + 1
            for threshold, sign in ((2.0**k, 2.0), (2.0 ** (k + 1), -2.0)):
                subtract.step(total, offset - threshold, scratch, at["next"][k], sign)
            subtract.units.append(({scratch: 1.0}, 0.0, {at["next"][k]: -1.0}))
        # Write: column b finds its place in scratch's register, every other column prefers columns that hold nothing.
        keys = [(j, i, 1.0) for i, j in both(at["rb"], at["place"], strict=True)]
        sink = [(one, one, self.address - 1.0), (one, scratch, 1.0 - self.address)]
        write.head(keys + sink, [*both(at["result"], at["ma"], strict=True), (scratch, match)])
        for new, old in both(at["ma"], at["mem"], strict=True):
            write.gated(new, match, {old: 1.0})
            write.gated(old, match, {old: -1.0})
        write.clear([*at["ma"], match])
        bits = {at["result"][k]: 2.0**k / 2 for k in range(BITS)}
        write.units.append(({scratch: 1.0}, 0.0, {flag: 1.0}))
        write.step(bits, (2.0**BITS - 1) / 2 - 1, scratch, flag, -1.0)  # not zero
        write.step({at["result"][-1]: 0.5}, -0.5, scratch, flag, 1.0)  # negative
        for go, after, pc in both(at["rc"], at["next"], at["pc"], strict=True):
            jump.gated(go, flag, {pc: 1.0})
            for sign in (1.0, -1.0):  # where flag = 0
                jump.units.append(({after: sign, flag: -2.0}, 0.0, {pc: sign}))
        jump.clear([c for r in ("pc", "next", "ra", "rb", "rc", "va", "vb", "result", "flag") for c in at[r]])
        return [fetch, read, subtract, write, jump]

    def load(self, memory: Sequence[int], program: Program) -> Tensor:
        """Return the state (n, D): integers for the cells, at columns 1..cells, and instructions behind them."""
        at, x, first = self.at, torch.zeros(self.n, self.width), 1 + self.cells
        x[:, at["one"]] = 1.0
        x[0, at["scratch"]] = 1.0
        x[0, at["pc"]] = code(first, self.address)
        for column in range(self.n):
            x[column, at["place"]] = code(column, self.address)
        for column, number in enumerate(memory, start=1):
            x[column, at["mem"]] = code(number % 2**BITS, BITS)
        for column in range(first, self.n):
            index = column - first
            stop = (self.cells, self.cells, column)  # the last cell is 0 and stays so
            for r, address in zip("abc", program[index] if index < len(program) else stop, strict=True):
                x[column, at[r]] = code(address, self.address)
        return x

    def loop(self, x: Tensor, temperature: float) -> Tensor:
        """Execute one instruction of states (..., n, D)."""
        for layer in self.layers:
            x = layer(x, temperature)
        return x


def interpret(memory: Sequence[int], program: Program, steps: int) -> list[list[int]]:
    """Return the memory after each of `steps` instructions of plain SUBLEQ; nothing happens behind the program's end."""
    cells, pc, seen = list(memory), 0, []
    for _ in range(steps):
        if pc < len(program):
            a, b, c = program[pc]
            result = (cells[b - 1] - cells[a - 1] + 2 ** (BITS - 1)) % 2**BITS - 2 ** (BITS - 1)
            cells[b - 1] = result
            pc = c - 1 - len(cells) if result <= 0 else pc + 1
        seen.append(list(cells))
    return seen


def multiply(x: int, y: int, cells: int = 6) -> tuple[list[int], Program]:
    """Return memory and program of cell 3 <- x y (y > 0): x is added y times, by two subtractions each."""
    i = cells + 1
    body = [(1, cells, i + 1), (cells, 3, i + 2), (cells, cells, i + 3), (4, 2, i + 5), (cells, cells, i)]
    return [x, y, 0, 1, *[0] * (cells - 4)], body


def programs(rng: np.random.Generator, count: int, n: int, cells: int = 6) -> list[tuple[list[int], Program]]:
    """Return random programs of 8 instructions, which never write the last cell, and multiplication."""
    found = [multiply(int(rng.integers(-9, 10)), int(rng.integers(1, 6)), cells)]
    first, length = cells + 1, min(8, n - cells - 2)
    for _ in range(count):
        body = [
            (int(rng.integers(1, cells + 1)), int(rng.integers(1, cells)), int(rng.integers(first, first + length + 1)))
            for _ in range(length)
        ]
        found.append(([*(int(v) for v in rng.integers(-128, 128, cells - 1)), 0], body))
    return found


def executes(
    rng: np.random.Generator, n: int = 32, temperature: float | None = None, count: int = 20, steps: int = 32
) -> Mapping[str, float]:
    """Largest difference, over loops, programs, cells and bits (-1 or 1), between the transformer and an interpreter.

    `temperature` is lambda, 50 log n where none is given (lemma 2).
    """
    computer, jobs = Computer(n), programs(rng, count, n)
    x = torch.stack([computer.load(*job) for job in jobs])
    truth = [interpret(*job, steps) for job in jobs]
    sharp, error = 50 * math.log(n) if temperature is None else temperature, 0.0
    for step in range(steps):
        x = computer.loop(x, sharp)
        wanted = torch.stack([torch.stack([code(v % 2**BITS, BITS) for v in row[step]]) for row in truth])
        error = max(error, float((x[:, 1 : 1 + computer.cells, computer.at["mem"]] - wanted).abs().max()))
    return {"max_error": error}


def depth(rng: np.random.Generator, sizes: tuple[int, ...] = (16, 64, 256)) -> Mapping[str, float]:
    """Range of the number of layers over numbers of columns, and the largest error with which the same computers run."""
    layers = [len(Computer(n).layers) for n in sizes]
    errors = [executes(rng, n, count=2, steps=12)["max_error"] for n in sizes]
    return {"layers_per_loop_range": max(layers) - min(layers), "max_error": max(errors)}


ID = "sequences/layer-identities"
SHARPNESS = (4.0, 10.0, 12.0, 14.0, 16.0)


@hookimpl
def assay_models() -> list[Model]:
    """Return the probes."""
    return [
        Model("subleq-transformer", ID, executes, knobs={"n": (16, 32, 64)}),
        Model("subleq-depth", ID, depth),
        Model(
            "subleq-soft", ID, executes, {"temperature": 10.0}, {"temperature": SHARPNESS}, ablates="subleq-transformer"
        ),
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
            notes="Five layers a loop, of which three attend. The memory is compared after every instruction, not only after "
            "halting: 20 random programs, many of which never halt, and multiplication. The subtraction is one ReLU layer that "
            "thresholds weighted sums of bits. A bit is written with an error of about n exp(-lambda) and the thresholds bear a "
            "quarter of the lowest bit: from lambda = 10 at 32 columns errors should stay small, below that carries break.",
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
