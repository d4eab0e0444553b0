"""Task numerics/hamming-shifts: the Hamming distance of a pattern to every window of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Schema, Task
from numpy.typing import NDArray
from scipy import fft

from assay_numerics.common import generator, no_source

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LENGTHS = {"smoke": (8000, (64, 4096)), "small": (40_000, (64, 256, 1024, 4096, 16_384)), "full": (0, ())}
"""Scale -> length of the text, lengths of the patterns."""
NEAR = 16
"""A near match differs from the pattern in at most a NEARth of its symbols."""


@dataclass(frozen=True)
class Strings:
    """Texts and patterns to be found in them, by the length m of the pattern. Symbols are integers.

    `limits` is k for each m, `truth` the distances by brute force.
    """

    texts: Mapping[int, Ints]
    patterns: Mapping[int, Ints]
    limits: Mapping[int, int]
    truth: Mapping[int, Ints]


@dataclass
class Work:
    """Counts operations: comparisons and additions one each, a real FFT of length L 2.5 L log2 L (half a complex one)."""

    operations: float = 0.0

    def add(self, count: float) -> None:
        """Count elementary operations."""
        self.operations += count

    def rfft(self, signals: Floats, length: int) -> NDArray[np.complex128]:
        """Return the real FFT along the last axis, padded to `length`, and count it."""
        self.operations += signals[..., 0].size * 2.5 * length * np.log2(length)
        return fft.rfft(signals, length)

    def irfft(self, spectra: NDArray[np.complex128], length: int) -> Floats:
        """Return the inverse and count it."""
        self.operations += spectra[..., 0].size * 2.5 * length * np.log2(length)
        return fft.irfft(spectra, length)


def whole(values: Floats) -> Ints:
    """Return correlations of 0/1 signals as integers; raise when rounding errors make them doubtful."""
    rounded = np.rint(values)
    if np.abs(values - rounded).max(initial=0) > 0.1:
        raise ArithmeticError("the FFT's rounding errors exceed 0.1: counts cannot be told from it")
    return rounded.astype(np.int64)


def positions(string: Ints) -> dict[int, Ints]:
    """Return the places of each symbol, ascending."""
    order = np.argsort(string, kind="stable")
    symbols, starts = np.unique(string[order], return_index=True)
    return dict(zip(symbols.tolist(), np.split(order, starts[1:]), strict=True))


def listed(in_text: Ints, in_pattern: Ints, shifts: int, work: Work) -> Ints:
    """Return at each shift the matches of one symbol, (shifts,), by listing all pairs of its places."""
    work.add(len(in_text) * len(in_pattern))
    counts = np.zeros(shifts, dtype=np.int64)
    for start in range(0, len(in_text), 4096):  # at most some million pairs at once
        pairs = (in_text[start : start + 4096, None] - in_pattern).ravel()
        counts += np.bincount(pairs[(pairs >= 0) & (pairs < shifts)], minlength=shifts)
    return counts


def in_blocks(text: Ints, m: int) -> Ints:
    """Return windows (B, 2m - 1) of the text that start at multiples of m, the last padded by -1 (no symbol)."""
    blocks = -(-(len(text) - m + 1) // m)
    padded = np.concatenate([text, np.full((blocks + 1) * m - 1 - len(text), -1)])
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * m - 1)[::m]


def correlated(text: Ints, pattern: Ints, symbols: list[int], work: Work) -> Ints:
    """Return at each shift the matches of the given symbols, (shifts,): an FFT a symbol and block, one inverse a block."""
    m, shifts = len(pattern), len(text) - len(pattern) + 1
    if not symbols:
        return np.zeros(shifts, dtype=np.int64)
    blocks, length = in_blocks(text, m), fft.next_fast_len(2 * m - 1, real=True)
    total = np.zeros((len(blocks), length // 2 + 1), dtype=np.complex128)
    for symbol in symbols:
        spectrum = work.rfft((pattern == symbol).astype(float), length).conj()
        total += work.rfft((blocks == symbol).astype(float), length) * spectrum
        work.add(4 * total.size)
    return whole(work.irfft(total, length)[:, :m]).ravel()[:shifts]


def brute(text: Ints, pattern: Ints) -> Ints:
    """Return the distances by comparing everything with everything."""
    windows = np.lib.stride_tricks.sliding_window_view(text, len(pattern))
    parts = [(w != pattern).sum(1) for w in np.array_split(windows, max(1, windows.size // 2**22))]
    return np.concatenate(parts).astype(np.int64)


def _near(text: Ints, pattern: Ints, limit: int, rng: np.random.Generator) -> None:
    """Plant five windows of the text that differ from the pattern in at most `limit` places (in place)."""
    m = len(pattern)
    for start in (np.arange(5) * (len(text) // 5)).tolist():
        room = text[start : start + m]
        changed = rng.choice(m, int(rng.integers(limit + 1)), replace=False)
        kept = np.setdiff1d(np.arange(m), changed)[: max(0, len(room))]
        kept = kept[kept < len(room)]
        room[kept] = pattern[kept]


def _strings(name: str, seed: int, scale: str, source: str | None, symbols: Any) -> Strings:
    no_source(name, scale, source)
    n, lengths = LENGTHS[scale]
    rng = generator(seed, name)
    texts, patterns, limits = {}, {}, {}
    for m in lengths:
        texts[m], patterns[m] = symbols(m, n, rng)
        limits[m] = max(1, m // NEAR)
        _near(texts[m], patterns[m], limits[m], rng)
    return Strings(texts, patterns, limits, {m: brute(texts[m], patterns[m]) for m in lengths})


def _even(alphabet: int, m: int, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    return rng.integers(alphabet, size=n), rng.permutation(np.arange(m) % alphabet)


def balanced(seed: int, scale: str, source: str | None = None) -> Strings:
    """Return random strings over sqrt(m) symbols, each sqrt(m) times in the pattern; five near matches are planted."""
    return _strings("balanced-strings", seed, scale, source, lambda m, n, rng: _even(round(m**0.5), m, n, rng))


def break_even(seed: int, scale: str, source: str | None = None) -> Strings:
    """Return the same over sqrt(m / log2 m) symbols: as frequent as Abrahamson's threshold sqrt(m log2 m)."""
    return _strings(
        "break-even-strings", seed, scale, source, lambda m, n, rng: _even(round((m / np.log2(m)) ** 0.5), m, n, rng)
    )


def letters(seed: int, scale: str, source: str | None = None) -> Strings:
    """Return random strings over four symbols, as of DNA."""
    return _strings("four-letter-strings", seed, scale, source, lambda m, n, rng: _even(4, m, n, rng))


def skewed(seed: int, scale: str, source: str | None = None) -> Strings:
    """Return random strings over 4 sqrt(m) symbols with Zipf's frequencies 1 / rank: few heavy ones and many light."""

    def symbols(m: int, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        chance = 1 / np.arange(1, 4 * round(m**0.5) + 1)
        chance /= chance.sum()
        return rng.choice(len(chance), n, p=chance), rng.choice(len(chance), m, p=chance)

    return _strings("skewed-strings", seed, scale, source, symbols)


def own(arrays: Mapping[str, Any], rng: np.random.Generator) -> Strings:
    """Return a user's text (n,) and pattern (m,), m <= n, as the one case. Symbols must not be negative."""
    del rng
    text, pattern = arrays["text"], arrays["pattern"]
    if len(pattern) > len(text) or min(text.min(), pattern.min()) < 0:
        raise AssayError("text and pattern: the pattern must not be longer than the text, and no symbol negative")
    m = len(pattern)
    return Strings({m: text}, {m: pattern}, {m: max(1, m // NEAR)}, {m: brute(text, pattern)})


def run(entrant: Entrant, data: Strings, ctx: Context) -> Mapping[str, Any]:
    """Compute the distances for each pattern, counting operations and, of all patterns together, taking the time.

    An entrant with `bounded` True may answer k + 1 for all distances above k.
    """
    algorithm = entrant.build()
    conditions = []
    for m, pattern in data.patterns.items():
        text, work, k = data.texts[m], Work(), data.limits[m]
        with ctx.timer("predict"):
            found = algorithm.distances(text, pattern, k, work, ctx.rng(f"{m}"))
        truth = data.truth[m]
        if found.shape != truth.shape:
            raise AssayError(f"{entrant.id} gave {found.shape} distances where {truth.shape} were asked for")
        if getattr(algorithm, "bounded", False):
            truth = np.minimum(truth, k + 1)
        conditions.append(({"m": m}, {"found": found, "truth": truth, "operations": work.operations}))
    return {"module": algorithm, **conditions[-1][1], "conditions": conditions}


def max_abs_error(outcome: Mapping[str, Any]) -> float:
    """Largest |found - true| over shifts."""
    return float(np.abs(outcome["found"] - outcome["truth"]).max())


def max_rel_error(outcome: Mapping[str, Any]) -> float:
    """Largest |found - true| / max(1, true) over shifts."""
    return float((np.abs(outcome["found"] - outcome["truth"]) / np.maximum(1, outcome["truth"])).max())


@dataclass(frozen=True)
class BruteForce:
    """Baseline: compares every symbol of the pattern with every window."""

    def distances(self, text: Ints, pattern: Ints, limit: int, work: Work, rng: np.random.Generator) -> Ints:
        """Return the distances (n - m + 1,)."""
        work.add((len(text) - len(pattern) + 1) * len(pattern))
        return brute(text, pattern)


@dataclass(frozen=True)
class PerSymbolFFT:
    """Baseline: one FFT correlation of the whole text a symbol, as with scipy.signal.correlate."""

    def distances(self, text: Ints, pattern: Ints, limit: int, work: Work, rng: np.random.Generator) -> Ints:
        """Return the distances (n - m + 1,)."""
        length = fft.next_fast_len(len(text), real=True)
        total = np.zeros(length // 2 + 1, dtype=np.complex128)
        for symbol in np.unique(pattern).tolist():
            spectrum = work.rfft((pattern == symbol).astype(float), length).conj()
            total += work.rfft((text == symbol).astype(float), length) * spectrum
            work.add(4 * len(total))
        matches = work.irfft(total, length)[: len(text) - len(pattern) + 1]
        return len(pattern) - whole(matches)


@dataclass(frozen=True)
class Abrahamson:
    """Baseline (Abrahamson 1987): symbols more frequent than sqrt(m log2 m) in the pattern by FFT, others by listing."""

    def distances(self, text: Ints, pattern: Ints, limit: int, work: Work, rng: np.random.Generator) -> Ints:
        """Return the distances (n - m + 1,)."""
        m, shifts = len(pattern), len(text) - len(pattern) + 1
        in_text, in_pattern = positions(text), positions(pattern)
        heavy = [c for c, places in in_pattern.items() if len(places) > np.sqrt(m * np.log2(m))]
        matches = correlated(text, pattern, heavy, work)
        for symbol in in_pattern.keys() & in_text.keys() - set(heavy):
            matches += listed(in_text[symbol], in_pattern[symbol], shifts, work)
        return m - matches


@dataclass(frozen=True)
class KopelowitzPorat:
    """Baseline (2015): the alphabet is hashed to 2 / eps symbols; a hashed distance never exceeds the true one.

    A mismatch is lost with probability eps / 2, so that the maximum over 2 log2 n hashings is above (1 - eps) d.
    """

    eps: float = 0.25
    repeats: int = field(default=0)

    def distances(self, text: Ints, pattern: Ints, limit: int, work: Work, rng: np.random.Generator) -> Ints:
        """Return the approximate distances (n - m + 1,)."""
        symbols = np.unique(np.concatenate([text, pattern]))
        buckets = round(2 / self.eps)
        found = np.zeros(len(text) - len(pattern) + 1, dtype=np.int64)
        for _ in range(self.repeats or int(np.ceil(2 * np.log2(len(text))))):
            hashed = rng.integers(buckets, size=len(symbols))
            t, p = hashed[np.searchsorted(symbols, text)], hashed[np.searchsorted(symbols, pattern)]
            found = np.maximum(found, len(p) - correlated(t, p, np.unique(p).tolist(), work))
        return found


ID = "numerics/hamming-shifts"
MODELS = [
    Model("brute-force", ID, BruteForce),
    Model("per-symbol-fft", ID, PerSymbolFFT),
    Model("abrahamson", ID, Abrahamson),
    Model("kopelowitz-porat", ID, KopelowitzPorat),
]
METRICS = [
    Metric("max_abs_error", max_abs_error, ("found", "truth"), "down", "symbols", bounds=(0, np.inf)),
    Metric("max_rel_error", max_rel_error, ("found", "truth"), "down", "relative", bounds=(0, np.inf)),
    Metric("operations", lambda o: o["operations"], ("operations",), "down", "count", exact=True, bounds=(0, np.inf)),
]
SCHEMA = Schema("strings", {"text": "int64[n]", "pattern": "int64[m]"}, own)
DATASETS = [
    Dataset("balanced-strings", SCHEMA.id, balanced, title="sqrt(m) symbols, equally frequent, synthetic"),
    Dataset(
        "break-even-strings", SCHEMA.id, break_even, title="symbols as frequent as Abrahamson's threshold, synthetic"
    ),
    Dataset("four-letter-strings", SCHEMA.id, letters, title="four symbols, synthetic"),
    Dataset("skewed-strings", SCHEMA.id, skewed, title="Zipf's frequencies, synthetic"),
]
TASK = Task(
    ID,
    schema=SCHEMA.id,
    run=run,
    metrics=("operations", "max_abs_error", "max_rel_error"),
    dataset="skewed-strings",
    title="Hamming distances of a pattern to all windows of a text",
    contract="build() gives an algorithm: distances(text (n,), pattern (m,), limit, work, rng) returns (n - m + 1,) "
    "distances; operations are counted through work. With attribute bounded True, k + 1 stands for all above limit.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("brute-force", "per-symbol-fft", "abrahamson", "kopelowitz-porat"),
    conditions={"m": (64, 256, 1024, 4096, 16_384)},
)
