import numpy as np
import pytest
from regionwise.active.replay import summarize


def curves(**dice):
    return [
        {"seed": seed, "order": order, "labeled": labeled, "dice": value}
        for order, seeds in dice.items()
        for seed, values in enumerate(seeds)
        for labeled, value in zip((4, 8, 16), values, strict=True)
    ]


def test_the_area_is_the_mean_dice_over_the_budget():
    (row,) = summarize(curves(foreground_random=[(0.2, 0.6, 1.0)]))
    assert row["area"] == pytest.approx((0.4 * 4 + 0.8 * 8) / 12, abs=1e-4)
    assert (row["low"], row["high"], row["differs"]) == ("", "", "no")  # one seed has no interval


def test_differences_are_within_a_seed_and_have_an_interval():
    random = [(0.2, 0.5, 0.8), (0.4, 0.7, 0.9), (0.1, 0.4, 0.9)]
    better = [tuple(np.add(one, gain)) for one, gain in zip(random, (0.1, 0.11, 0.12), strict=True)]
    baseline, row = summarize(curves(foreground_random=random, uncertainty=better))
    assert (baseline["difference"], baseline["differs"]) == (0, "no")
    assert row["difference"] == pytest.approx(0.11)
    half = 4.3027 * 0.01 / np.sqrt(3)
    assert (float(row["low"]), float(row["high"])) == pytest.approx((0.11 - half, 0.11 + half), abs=2e-4)
    assert row["differs"] == "yes"


def test_nothing_is_claimed_where_the_interval_holds_zero():
    random = [(0.2, 0.5, 0.8)] * 3
    mixed = [(0.3, 0.6, 0.9), (0.1, 0.4, 0.7), (0.25, 0.5, 0.8)]
    assert summarize(curves(foreground_random=random, uncertainty=mixed))[1]["differs"] == "no"
