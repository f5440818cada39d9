import numpy as np
from regionwise.active import rank_foreground_random, rank_random, rank_stratified
from regionwise.active.ranking import noise_beta

SHARP = 1e6  # no noise to speak of


def rng(seed=0):
    return np.random.default_rng(seed)


def test_each_structure_has_its_turn_and_the_total_every_third():
    scores = np.array([[0.9, 0, 0], [0, 0.5, 0], [0, 0.4, 0], [0, 0, 0.03], [0, 0, 0.02], [0.8, 0, 0]])
    order = rank_stratified(scores, rng(), SHARP)
    assert order == [(1, 1), (3, 2), (0, 0), (2, 1), (4, 2), (5, 0)]


def test_a_structure_that_is_predicted_nowhere_has_no_turn():
    scores = np.array([[0.1, 0, 0.3], [0.1, 0, 0.2], [0.1, 0, 0.1]])
    assert [label for _, label in rank_stratified(scores, rng(), SHARP)] == [2, 2, 0]


def test_every_item_is_ranked_once_even_without_any_uncertainty():
    assert sorted(item for item, _ in rank_stratified(np.zeros((5, 3)), rng(), 1)) == list(range(5))
    scores = np.abs(rng().normal(size=(50, 4)))
    assert sorted(item for item, _ in rank_stratified(scores, rng(), 1)) == list(range(50))


def test_noise_changes_the_order_less_the_sharper_it_is():
    scores = np.linspace(1, 0.1, 40)[:, None]
    plain = np.arange(40)

    def moved(beta):
        return np.mean(
            [np.abs(np.array([i for i, _ in rank_stratified(scores, rng(s), beta)]) - plain) for s in range(9)]
        )

    assert moved(1) > moved(10) > moved(SHARP) == 0


def test_the_noise_sharpens_over_the_rounds():
    assert [round(noise_beta(number, 4), 3) for number in range(4)] == [1.0, 4.642, 21.544, 100.0]
    assert noise_beta(0, 1) == 1


def test_two_of_three_ranks_have_foreground_while_there_is_any():
    foreground = np.zeros(300, bool)
    foreground[:90] = True
    order = rank_foreground_random(foreground, rng())
    assert sorted(order) == list(range(300))
    first = foreground[order[:90]]
    assert first.sum() >= 60 and first[0] and first[1]
    assert sorted(rank_foreground_random(np.zeros(4, bool), rng())) == [0, 1, 2, 3]


def test_random_is_a_permutation_that_the_seed_fixes():
    assert rank_random(20, rng(3)) == rank_random(20, rng(3)) != rank_random(20, rng(4))
    assert sorted(rank_random(20, rng(3))) == list(range(20))
