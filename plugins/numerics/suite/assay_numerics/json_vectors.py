"""Task numerics/json-vectors: encode JSON documents as vectors from which values at paths can be read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from assay import AssayError, Context, Dataset, Entrant, Metric, Model, Task
from numpy.typing import NDArray

from assay_numerics.common import generator

Vector = NDArray[np.float64]
Path = tuple[str | int, ...]
DIMENSION = 512
DEPTHS, CHAINS = (1, 2, 4, 6, 8), (5, 50, 500)
SIZES = {"smoke": (20, 20, 20), "small": (100, 60, 100)}
"""Scale -> documents among which neighbours are sought, documents a depth, chains of keys."""


@dataclass(frozen=True)
class Documents:
    """JSON documents with what is asked of them.

    `corpus` holds pairs (document, a slightly changed copy), `deep` maps a depth to triples (document, path, the string
    there), `swapped` holds pairs that differ by two nested keys, `strings` are all leaves among which a value is sought.
    """

    keys: tuple[str, ...]
    strings: tuple[str, ...]
    corpus: tuple[tuple[Any, Any], ...]
    deep: Mapping[int, tuple[tuple[Any, Path, str], ...]]
    swapped: tuple[tuple[Any, Any], ...]
    chains: int


def _words(rng: np.random.Generator, count: int) -> list[str]:
    syllables = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xu", "ze"]
    return ["".join(rng.choice(syllables, 3)) for _ in range(count)]


def _leaf(rng: np.random.Generator, strings: Sequence[str]) -> Any:
    kind = rng.random()
    if kind < 0.6:
        return str(rng.choice(strings))
    return round(float(np.exp(rng.uniform(0, 7))), 2) if kind < 0.9 else bool(rng.random() < 0.5)


def _tree(rng: np.random.Generator, keys: Sequence[str], strings: Sequence[str], depth: int) -> Any:
    if depth == 0:
        return _leaf(rng, strings)
    children = int(rng.integers(2, 4))
    below = [_tree(rng, keys, strings, depth - 1 if i == 0 else int(rng.integers(depth))) for i in range(children)]
    if rng.random() < 0.25:
        return below
    return dict(zip(rng.choice(keys, children, replace=False).tolist(), below, strict=True))


def _deep(rng: np.random.Generator, keys: Sequence[str], strings: Sequence[str], depth: int) -> tuple[Any, Path, str]:
    """Return a document with 2 or 3 entries a level, one of them the next level, and the path to its deepest string."""
    target = str(rng.choice(strings))
    value, path = target, []
    for _ in range(depth):
        names = rng.choice(keys, int(rng.integers(2, 4)), replace=False).tolist()
        value = {names[0]: value, **{name: str(rng.choice(strings)) for name in names[1:]}}
        path.insert(0, names[0])
    return value, tuple(path), target


def changed(value: Any, rng: np.random.Generator) -> Any:
    """Return a copy in which every number moves by up to 5 % and every string has one letter replaced."""
    if isinstance(value, dict):
        return {key: changed(item, rng) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, rng) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        at = int(rng.integers(max(1, len(value))))
        return value[:at] + str(rng.choice(list("abcdefghij"))) + value[at + 1 :]
    return value * (1 + rng.uniform(-0.05, 0.05))


def random_json(seed: int, scale: str, source: str | None = None) -> Documents:
    """Return nested documents over 30 keys and 200 strings of two made-up words, with numbers and booleans.

    20 documents at smoke, 100 at small. With `source` (scale full), a JSON Lines file of the user's, the documents among which
    neighbours are sought are those of the file (the first 2,000), and the rest is drawn over its keys.
    """
    rng = generator(seed, "random-json")
    keys = [f"{w}_{i}" for i, w in enumerate(_words(rng, 30))]
    strings = list(dict.fromkeys(" ".join(_words(rng, 2)) for _ in range(200)))
    count, deep, chains = SIZES.get(scale, SIZES["small"])
    if source is None and scale == "full":
        raise AssayError("random-json at scale full reads your documents: --data random-json=FILE.jsonl")
    corpus = _own(source) if source else [_tree(rng, keys, strings, 4) for _ in range(count)]
    swaps = []
    for _ in range(deep):
        outer, inner = rng.choice(keys, 2, replace=False).tolist()
        leaf = str(rng.choice(strings))
        swaps.append(({outer: {inner: leaf}}, {inner: {outer: leaf}}))
    return Documents(
        tuple(keys),
        tuple(strings),
        tuple((document, changed(document, rng)) for document in corpus),
        {d: tuple(_deep(rng, keys, strings, d) for _ in range(deep)) for d in DEPTHS},
        tuple(swaps),
        chains,
    )


def _own(source: str) -> list[Any]:
    try:
        with open(source, encoding="utf-8") as stream:
            return [json.loads(line) for _, line in zip(range(2000), stream, strict=False) if line.strip()]
    except (OSError, ValueError) as error:
        raise AssayError(f"{source}: give a JSON Lines file, a document a line ({error})") from error


class Binding(Protocol):
    """Ties a key to a vector, and unties it."""

    def bind(self, key: str, vector: Vector) -> Vector:
        """Return the vector under the key."""

    def unbind(self, key: str, vector: Vector) -> Vector:
        """Return what was under the key, with noise from what else the vector holds."""


@dataclass(frozen=True)
class TreeCodec:
    """Any JSON value as a unit vector, by a binding of keys and a vector of each leaf.

    encode(object) = norm(sum_k M_k encode(value_k)), encode(list) = norm(sum_i M^i encode(item_i)) with one M for lists.
    """

    binding: Binding
    atom: Callable[[Any], Vector]

    def encode(self, value: Any) -> Vector:
        """Return the unit vector (D,) of a value; an empty container is a leaf."""
        if isinstance(value, dict) and value:
            return unit(sum(self.binding.bind(key, self.encode(item)) for key, item in value.items()))
        if isinstance(value, list) and value:
            return unit(sum(self._place(i, self.encode(item), False) for i, item in enumerate(value)))
        return self.atom(value)

    def query(self, vector: Vector, path: Path) -> Vector:
        """Return the noisy vector of the value at a path of keys and list places."""
        for step in path:
            vector = self._place(step, vector, True) if isinstance(step, int) else self.binding.unbind(step, vector)
        return vector

    def bind(self, key: str, vector: Vector) -> Vector:
        """Return a vector under a key, as the binding leaves it."""
        return self.binding.bind(key, vector)

    def _place(self, index: int, vector: Vector, inverse: bool) -> Vector:
        step = self.binding.unbind if inverse else self.binding.bind
        for _ in range(index + 1):
            vector = step("[]", vector)
        return vector


def unit(vector: Any) -> Vector:
    """Return a vector scaled to length 1."""
    return np.asarray(vector / np.linalg.norm(vector))


class HardAtoms:
    """A random unit vector for each distinct leaf: equal or unrelated, nothing between."""

    def __init__(self, dimension: int, rng: np.random.Generator) -> None:
        self.dimension, self.rng = dimension, rng
        self.known: dict[str, Vector] = {}

    def __call__(self, value: Any) -> Vector:
        """Return the vector (D,) of a leaf."""
        name = json.dumps(value)
        if name not in self.known:
            self.known[name] = unit(self.rng.standard_normal(self.dimension))
        return self.known[name]


def run(entrant: Entrant, data: Documents, ctx: Context) -> Mapping[str, Any]:
    """Encode, perturb, read back. Values are cleaned up by the nearest leaf of `strings`, by cosine.

    A codec without `query` and `bind` (a library) is measured as far as `encode` goes.
    """
    codec = entrant.build(dimension=DIMENSION, keys=data.keys, rng=ctx.rng("codebook"))
    with ctx.timer("fit"):
        known = np.stack([codec.encode(document) for document, _ in data.corpus])
    with ctx.timer("predict"):
        asked = np.stack([codec.encode(document) for _, document in data.corpus])
    nearest = _cosines(asked, known).argmax(1)
    swapped = [float(codec.encode(a) @ codec.encode(b)) for a, b in data.swapped]
    fields: dict[str, Any] = {"neighbour_hits": nearest == np.arange(len(known)), "swapped": np.array(swapped)}
    if not hasattr(codec, "query"):
        return {"module": codec, **fields}
    leaves = np.stack([codec.encode(text) for text in data.strings])
    conditions: list[Any] = []
    for depth, cases in data.deep.items():
        found = np.stack([codec.query(codec.encode(document), path) for document, path, _ in cases])
        right = np.array([data.strings.index(text) for _, _, text in cases])
        conditions.append(({"depth": depth}, {"recalled": _cosines(found, leaves).argmax(1) == right}))
    rng = ctx.rng("chains")
    for length in CHAINS:
        ratios = []
        for _ in range(data.chains // max(1, length // 50)):
            start = vector = unit(rng.standard_normal(DIMENSION))
            for key in rng.choice(data.keys, length):
                vector = codec.bind(key, vector)
            ratios.append(np.linalg.norm(vector) / np.linalg.norm(start))
        conditions.append(({"chain": length}, {"drift": np.abs(np.log10(ratios))}))
    return {"module": codec, **fields, "conditions": conditions}


def _cosines(a: Vector, b: Vector) -> Vector:
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def norm_drift(outcome: Mapping[str, Any]) -> float:
    """Largest |log10(||M_1 .. M_d v|| / ||v||)| over random chains of keys."""
    return float(outcome["drift"].max())


class GaussianBinding:
    """A matrix with independent N(0, 1/D) entries a key; untied by its transpose, or by its inverse."""

    def __init__(self, dimension: int, keys: Sequence[str], rng: np.random.Generator, inverse: bool) -> None:
        self.matrices = {k: rng.standard_normal((dimension, dimension)) / dimension**0.5 for k in (*keys, "[]")}
        self.back = {k: np.linalg.inv(m) if inverse else m.T for k, m in self.matrices.items()}

    def bind(self, key: str, vector: Vector) -> Vector:
        """Return M_k v."""
        return self.matrices[key] @ vector

    def unbind(self, key: str, vector: Vector) -> Vector:
        """Return M_k' v or M_k^-1 v."""
        return self.back[key] @ vector


class ProductBinding:
    """A vector of signs a key, bound and untied by the element-wise product: commutative."""

    def __init__(self, dimension: int, keys: Sequence[str], rng: np.random.Generator) -> None:
        self.signs = {k: rng.choice([-1.0, 1.0], dimension) for k in (*keys, "[]")}

    def bind(self, key: str, vector: Vector) -> Vector:
        """Return s_k * v."""
        return self.signs[key] * vector

    unbind = bind


def gaussian(dimension: int, keys: Sequence[str], rng: np.random.Generator, inverse: bool = False) -> TreeCodec:
    """Build the baseline MBAT with Gaussian matrices (Gallant and Okaywe 2013) and unrelated leaves."""
    return TreeCodec(GaussianBinding(dimension, keys, rng, inverse), HardAtoms(dimension, rng))


def product(dimension: int, keys: Sequence[str], rng: np.random.Generator) -> TreeCodec:
    """Build the baseline of element-wise products (multiply-add-permute without permutation) and unrelated leaves."""
    return TreeCodec(ProductBinding(dimension, keys, rng), HardAtoms(dimension, rng))


class HashedTrigrams:
    """Baseline: hashed counts of letter trigrams of the document as text, by scikit-learn; nothing can be read back."""

    def __init__(self, dimension: int, keys: Sequence[str], rng: np.random.Generator) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self.hashing = HashingVectorizer(n_features=dimension, analyzer="char", ngram_range=(3, 3), lowercase=False)

    def encode(self, value: Any) -> Vector:
        """Return the unit vector (D,) of a value."""
        return np.asarray(self.hashing.transform([json.dumps(value)]).toarray()[0])


ID = "numerics/json-vectors"
MODELS = [
    Model("mbat-gaussian", ID, gaussian),
    Model("mbat-gaussian-inverse", ID, gaussian, {"inverse": True}),
    Model("commutative-product", ID, product),
    Model("hashed-trigrams", ID, HashedTrigrams),
]
METRICS = [
    Metric("path_recall", lambda o: float(o["recalled"].mean()), ("recalled",), "up", "fraction", bounds=(0, 1)),
    Metric(
        "neighbour_accuracy",
        lambda o: float(o["neighbour_hits"].mean()),
        ("neighbour_hits",),
        "up",
        "fraction",
        bounds=(0, 1),
    ),
    Metric("collision_cosine", lambda o: float(o["swapped"].mean()), ("swapped",), "down", "cosine"),
    Metric("norm_drift", norm_drift, ("drift",), "down", "decades", bounds=(0, np.inf)),
]
DATASETS = [Dataset("random-json", "documents", random_json, title="random nested documents, synthetic")]
TASK = Task(
    ID,
    schema="documents",
    run=run,
    metrics=("neighbour_accuracy", "path_recall", "collision_cosine", "norm_drift"),
    dataset="random-json",
    title="JSON documents as vectors",
    contract="build(dimension, keys, rng) gives a codec: encode(value) returns a unit vector (dimension,), "
    "query(vector, path) the noisy vector of the value at a path, bind(key, vector) a vector under a key. Without the "
    "last two it is measured on neighbours and collisions alone.",
    budgets={"smoke": {}, "small": {}, "full": {}},
    baselines=("mbat-gaussian", "mbat-gaussian-inverse", "commutative-product", "hashed-trigrams"),
    conditions={"depth": DEPTHS, "chain": CHAINS},
)
