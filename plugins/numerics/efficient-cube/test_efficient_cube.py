"""EfficientCube: puzzles by their known counts, labels that undo scrambles, and solutions that are replayed."""

import numpy as np
import pytest
import torch
from assay_efficient_cube import EfficientCube, ValueSearch, walks
from assay_numerics.goal_puzzles import PUZZLES, Greedy, ball, distance, eight_puzzle, pocket_cube, scrambled


@pytest.mark.parametrize(
    ("name", "radius", "counts"),
    [
        ("pocket-cube", 6, [1, 6, 27, 120, 534, 2256, 8969]),  # God's number tables of the quarter-turn metric
        ("eight-puzzle", 6, [1, 2, 4, 8, 16, 20, 39]),  # OEIS A089473, blank in the corner
    ],
)
def test_layers_have_their_known_sizes(name, radius, counts):
    layers, _, _ = ball(PUZZLES[name](), radius)
    assert [len(layer) for layer in layers][: len(counts)] == counts[: len(layers)]


def test_lights_out_layers_agree_with_all_sets_of_presses():
    puzzle = PUZZLES["lights-out-4"]()
    presses = (np.arange(2**16)[:, None] >> np.arange(16) & 1).astype(np.int64)
    flips = puzzle.step(np.zeros((16, 16), dtype=np.int8), np.arange(16))[0].astype(np.int64)
    lamps, fewest = presses @ flips % 2 @ 2 ** np.arange(16), np.full(2**16, 99)
    np.minimum.at(fewest, lamps, presses.sum(1))
    counts = np.bincount(fewest[fewest < 99]).tolist()
    assert [len(layer) for layer in ball(puzzle, 8)[0]] == counts
    assert sum(counts) == 2**12 and len(counts) == 8


@pytest.mark.parametrize("name", PUZZLES)
def test_inverse_moves_undo_moves(name):
    puzzle, rng = PUZZLES[name](), np.random.default_rng(0)
    states = scrambled(puzzle, 50, 20, rng)
    for move in range(len(puzzle.inverse)):
        after, legal = puzzle.step(states, np.full(50, move))
        back, _ = puzzle.step(after[legal], np.full(int(legal.sum()), puzzle.inverse[move]))
        np.testing.assert_array_equal(back, states[legal])


def test_distance_meets_the_ball_at_the_shortest_length():
    puzzle = PUZZLES["pocket-cube"]()
    layers, codes, distances = ball(puzzle, 3)
    for depth, layer in enumerate(ball(puzzle, 5)[0]):
        assert distance(puzzle, layer[-1], codes, distances) == depth
    assert len(layers) == 4


@pytest.mark.parametrize("name", PUZZLES)
def test_undoing_the_label_goes_one_step_back(name):
    puzzle = PUZZLES[name]()
    states, labels = walks(puzzle, 300, np.random.default_rng(0))
    assert states.shape == (300, len(puzzle.goal))
    _, legal = puzzle.step(states, puzzle.inverse[labels])
    assert legal.all()


@pytest.mark.parametrize(
    "solver", [Greedy(), EfficientCube(20_000), ValueSearch(20_000)], ids=lambda s: type(s).__name__
)
def test_short_scrambles_are_solved(solver):
    torch.manual_seed(0)
    data = pocket_cube(0, "smoke")
    puzzle = data.puzzle()
    solver.train(puzzle, 300_000, np.random.default_rng(0))
    for state, optimal in zip(data.states, data.optimal, strict=True):
        moves, nodes = solver.solve(puzzle, state, 10_000)
        at = state[None]
        for move in moves:
            at, _ = puzzle.step(at, np.array([move]))
        assert puzzle.solved(at)[0] and len(moves) >= optimal and nodes <= 10_000


def test_test_states_are_solvable_and_within_their_depth():
    data = eight_puzzle(1, "smoke")
    assert data.optimal.max() <= 8
