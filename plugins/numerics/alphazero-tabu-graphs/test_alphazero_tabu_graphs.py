"""Extremal graphs: feasible moves against cycle counts, known optima, and learning from self-play."""

import contextlib
import itertools

import numpy as np
import pytest
import torch
from assay_alphazero_tabu_graphs import AlphaZero, Node, PairNet, Tabu
from assay_numerics.discrete_search import MOST_EDGES, Graphs, Spent
from assay_numerics.short_cycles import addable, edges_of, flipped, violations
from hypothesis import given, settings
from hypothesis import strategies as st


def random_feasible(n, seed):
    rng, graph = np.random.default_rng(seed), [0] * n
    while (moves := addable(graph)) and rng.random() < 0.95:
        graph = flipped(graph, moves[int(rng.integers(len(moves)))])
    return graph


@settings(deadline=None, max_examples=40)
@given(st.integers(4, 9), st.integers(0, 10_000))
def test_a_pair_is_addable_exactly_when_it_closes_no_short_cycle(n, seed):
    graph = random_feasible(n, seed)
    assert violations(graph) == 0
    for edge in itertools.combinations(range(n), 2):
        if edge not in edges_of(graph):
            assert (edge in addable(graph)) == (violations(flipped(graph, edge)) == 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 7), st.integers(0, 2**21 - 1))
def test_violations_are_the_short_cycles_of_networkx(n, bits):
    networkx = pytest.importorskip("networkx")
    pairs = list(itertools.combinations(range(n), 2))
    edges = [pair for i, pair in enumerate(pairs) if bits >> i & 1]
    adjacency = [0] * n
    for edge in edges:
        adjacency = flipped(adjacency, edge)
    graph = networkx.Graph(edges)
    assert violations(adjacency) == sum(1 for _ in networkx.simple_cycles(graph, length_bound=4))


def test_known_maxima_are_right_by_exhaustion_up_to_six_nodes():
    for n in range(1, 7):
        pairs = list(itertools.combinations(range(n), 2))
        best = 0
        for chosen in itertools.product((0, 1), repeat=len(pairs)):
            if sum(chosen) > best:
                problem = Graphs(n, 1)
                best = max(best, int(-problem.value(chosen)))
        assert best == MOST_EDGES[n - 1]


@pytest.mark.parametrize(
    "searcher",
    [Tabu(), Tabu(curriculum=True), AlphaZero(), AlphaZero(curriculum=True)],
    ids=["tabu", "tabu-curriculum", "az", "az-curriculum"],
)
def test_searchers_find_the_optimum_on_seven_nodes_and_keep_to_the_budget(searcher):
    torch.manual_seed(0)
    problem = Graphs(7, 1500)
    with contextlib.suppress(Spent):
        searcher.search(problem, np.random.default_rng(0))
    assert problem.best == -8
    assert problem.evaluations <= 1500
    assert len(edges_of(problem.graph(problem.best_state))) == 8


def test_the_petersen_graph_is_optimal_on_ten_nodes():
    networkx = pytest.importorskip("networkx")
    graph = [0] * 10
    for edge in networkx.petersen_graph().edges:
        graph = flipped(graph, edge)
    assert violations(graph) == 0 and addable(graph) == [] and len(edges_of(graph)) == MOST_EDGES[9]


def test_visits_of_a_tree_search_add_up_and_learning_lowers_the_loss():
    torch.manual_seed(0)
    player, problem, rng = AlphaZero(), Graphs(7, 10_000), np.random.default_rng(0)
    problem.known = -1e9
    node = Node([0] * 7, player.net, problem)
    for _ in range(20):
        player._simulate(problem, node)
    assert node.visits.sum() == 20
    steps = [step for _ in range(4) for step in player._play(problem, [0] * 7, rng)]
    x, score = torch.stack([s[0] for s in steps]), torch.tensor([s[2] for s in steps])
    before = (player.net(x)[1] - score).square().mean()
    optimiser = torch.optim.Adam(player.net.parameters(), lr=1e-3)
    for _ in range(5):
        player._learn(steps, optimiser, rng)
    assert (player.net(x)[1] - score).square().mean() < before / 2


def test_the_network_is_equivariant_and_with_positions_it_is_not():
    torch.manual_seed(0)
    x, order = torch.rand(2, 6, 6, 2).double(), torch.randperm(6)
    for positional, same in ((False, True), (True, False)):
        net = PairNet(positional=positional).double()
        (logits, value), (moved, moved_value) = net(x), net(x[:, order][:, :, order])
        assert torch.allclose(moved, logits[:, order][:, :, order]) is same
        assert torch.allclose(moved_value, value) is same
