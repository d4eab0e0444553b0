"""Self-Supervision is All You Need for Solving Rubik's Cube (Takano, 2021, arXiv:2106.03157): undo the last move."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from assay import Claim, Model, Paper, hookimpl, score, trend
from assay_numerics.goal_puzzles import Ints, Puzzle, States, best_first
from torch import Tensor, nn

SAMPLES = (3_000, 10_000, 30_000, 100_000, 300_000)
BATCH = 1000


def network(puzzle: Puzzle, outputs: int) -> nn.Sequential:
    """Return one-hot states (B, L * symbols) -> (B, outputs): two hidden layers with batch norm and ReLU."""
    layers: list[nn.Module] = []
    width = len(puzzle.goal) * puzzle.symbols
    for hidden in (512, 256):
        layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def one_hot(puzzle: Puzzle, states: States) -> Tensor:
    """Return states (B, L) as (B, L * symbols) float32."""
    return nn.functional.one_hot(torch.from_numpy(states.astype(np.int64)), puzzle.symbols).flatten(1).float()


def walks(puzzle: Puzzle, samples: int, rng: np.random.Generator) -> tuple[States, Ints]:
    """Return every state of random walks from the goal, (samples, L), and the move that led to it (sec. 3.1).

    Walks are `puzzle.depth` long; a move never undoes the one before; illegal moves are left out.
    """
    count = -(-samples // puzzle.depth)
    states, last = np.repeat(puzzle.goal[None], count, axis=0), np.full(count, -1)
    seen, labels = [], []
    for _ in range(puzzle.depth):
        order = rng.random((count, len(puzzle.inverse)))
        _, legal = puzzle.children(states)
        order[~legal] = 2
        undo = np.flatnonzero(last >= 0)
        order[undo, puzzle.inverse[last[undo]]] = 2
        last = order.argmin(1)
        states = puzzle.step(states, last)[0]
        seen.append(states)
        labels.append(last)
    chosen = rng.permutation(count * puzzle.depth)[:samples]
    return np.concatenate(seen)[chosen], np.concatenate(labels)[chosen]


@dataclass
class EfficientCube:
    """A classifier of the last move, and a beam that undoes what it says.

    A path's score is the sum of the log probabilities of the moves it undoes; with `whole` False (ablation) that of
    its last step alone.
    """

    n_states: int = 300_000
    whole: bool = True
    beam: int = 256
    net: nn.Module = field(init=False)

    def train(self, puzzle: Puzzle, states: int, rng: np.random.Generator) -> None:
        """Fit the classifier, one pass over fresh scrambles."""
        self.net = network(puzzle, len(puzzle.inverse))
        optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        for _ in range(min(self.n_states, states) // BATCH):
            seen, labels = walks(puzzle, BATCH, rng)
            loss = nn.functional.cross_entropy(self.net(one_hot(puzzle, seen)), torch.as_tensor(labels))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.net.eval()

    @torch.no_grad()
    def solve(self, puzzle: Puzzle, state: States, budget: int) -> tuple[list[int] | None, int]:
        """Return moves, None when the budget is spent, and the nodes expanded (sec. 3.3)."""
        beam, scores, paths, nodes = state[None], np.zeros(1), np.empty((1, 0), dtype=np.int64), 0
        if puzzle.solved(beam)[0]:
            return [], 0
        while nodes + len(beam) <= budget:
            nodes += len(beam)
            log_p = self.net(one_hot(puzzle, beam)).log_softmax(1).double().numpy()
            after, legal = puzzle.children(beam)
            # the move k undoes the last move inverse[k], so that its score is that of inverse[k]
            total = (scores[:, None] if self.whole else 0.0) + log_p[:, puzzle.inverse]
            rows, moves = np.nonzero(legal)
            total, children = total[rows, moves], after[rows, moves]
            order = np.argsort(-total, kind="stable")
            _, first = np.unique(puzzle.codes(children[order]), return_index=True)
            kept = order[np.sort(first)[: self.beam]]
            beam, scores = children[kept], total[kept]
            paths = np.concatenate([paths[rows[kept]], moves[kept, None]], axis=1)
            done = puzzle.solved(beam)
            if done.any():
                return paths[int(done.argmax())].tolist(), nodes
        return None, nodes


@dataclass
class ValueSearch:
    """The rival, DeepCubeA (Agostinelli et al. 2019) in small: learned costs to go, and batch weighted A* by them.

    V(s) = min_k 1 + V'(s after k), 0 at the goal, over the same number of states; V' is a copy renewed every 20 steps.
    """

    n_states: int = 300_000
    weight: float = 0.6
    net: nn.Module = field(init=False)

    def train(self, puzzle: Puzzle, states: int, rng: np.random.Generator) -> None:
        """Fit by approximate value iteration."""
        self.net, target = network(puzzle, 1), network(puzzle, 1)
        optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        for step in range(min(self.n_states, states) // BATCH):
            if step % 20 == 0:
                target.load_state_dict(self.net.state_dict())
                target.eval()
            seen, _ = walks(puzzle, BATCH, rng)
            after, legal = puzzle.children(seen)
            with torch.no_grad():
                flat = after.reshape(-1, after.shape[-1])
                costs = target(one_hot(puzzle, flat))[:, 0].clamp_min(0) * torch.as_tensor(~puzzle.solved(flat))
                costs = costs.view(len(seen), -1).masked_fill(torch.as_tensor(~legal), torch.inf)
                goal = (1 + costs.amin(1)) * torch.as_tensor(~puzzle.solved(seen))
            loss = (self.net(one_hot(puzzle, seen))[:, 0] - goal).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.net.eval()

    @torch.no_grad()
    def solve(self, puzzle: Puzzle, state: States, budget: int) -> tuple[list[int] | None, int]:
        """Return moves, None when the budget is spent, and the nodes expanded."""
        return best_first(
            puzzle, state, budget, lambda s: self.net(one_hot(puzzle, s))[:, 0].double().numpy(), self.weight
        )


@hookimpl
def assay_models() -> list[Model]:
    """Return the entrants."""
    task, knobs = "numerics/goal-puzzles", {"n_states": SAMPLES, "beam": (16, 64, 256)}
    return [
        Model("efficient-cube", task, EfficientCube, knobs=knobs),
        Model("efficient-cube-last-step", task, EfficientCube, {"whole": False}, knobs, ablates="efficient-cube"),
        Model("value-net-astar", task, ValueSearch, knobs={"n_states": SAMPLES}),
    ]


@hookimpl
def assay_papers() -> list[Paper]:
    """Return the paper with its claims."""
    task = "numerics/goal-puzzles"
    rate, gap, nodes = (score(name, task=task) for name in ("solve_rate", "optimality_gap", "nodes_expanded"))
    return [
        Paper(
            "efficient-cube",
            title="Self-Supervision is All You Need for Solving Rubik's Cube",
            year=2021,
            arxiv="2106.03157",
            family="numerics",
            notes="Bidirectional breadth-first search learns nothing and solves every state of all three puzzles by a shortest "
            "path within the budget, a pocket cube in some 3,100 nodes: at these sizes there is nothing for a learner to "
            "overtake, and the claims compare learners. On a pilot seed of the 8-puzzle 3,000, 10,000, 30,000 and 100,000 "
            "training states solve 3, 60, 100 and 100 %, with gaps of 0.25, 0.05, 0.02 and 0.003: below 30,000 the gap is "
            "that of the easier states, which works against data-scaling and not for it. At small near-optimal is left open "
            "by its number of seeds alone: the solve rate is 1 at all three, where nothing varies and a sign test needs six; "
            "the gaps are 0.03 to 0.08. beats-deepcubea-style fails: A* with a value network needs some 1,370 fewer nodes and "
            "solves as much. The score of a whole path finds no shorter solutions than that of its last step.",
            claims=[
                Claim(
                    "near-optimal",
                    (rate("efficient-cube") >= 0.98) & (gap("efficient-cube") <= 0.1),
                    says="Learning to undo random scrambles is enough for near-optimal solutions.",
                    seeds=3,
                ),
                Claim(
                    "beats-deepcubea-style",
                    (nodes("value-net-astar") - nodes("efficient-cube") > 0)
                    & (rate("efficient-cube") - rate("value-net-astar") >= 0),
                    says="With the same training states it needs fewer nodes than learned costs and A*.",
                    seeds=3,
                ),
                Claim(
                    "data-scaling",
                    (trend(gap("efficient-cube", dataset="eight-puzzle"), over="n_states", at=SAMPLES) < 0)
                    & (trend(rate("efficient-cube", dataset="eight-puzzle"), over="n_states", at=SAMPLES) > 0),
                    says="With more training data more states are solved, and by fewer moves.",
                    seeds=3,
                ),
                Claim(
                    "whole-path-counts",
                    gap("efficient-cube-last-step") - gap("efficient-cube") > 0,
                    says="A path must be judged by all of its steps: by the last alone solutions get longer.",
                    seeds=3,
                ),
            ],
        )
    ]
