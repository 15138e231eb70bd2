"""Parts of an error budget: their arithmetic, shares that are ratios of means, and words."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics import mean_squared_error
from cinecortex.metrics.error_budget import PARTS, ErrorBudget, Recovered
from cinecortex.metrics.skill import ratios, skill
from cinecortex.seeds import Seed

FIRST = Recovered(0.3, 0.25, (0.4, 0.5), 0.375, (0.5, 0.5), 0.75, 0.7)
SECOND = Recovered(0.2, 0.2, (0.25, 0.25), 0.225, (0.3, 0.3), 0.25, 0.25)
BUDGET = ErrorBudget(("a", "b"), (FIRST, SECOND))


def test_parts_are_differences_and_the_remainder_closes_the_sum():
    parts = {part: getattr(FIRST, part) for part in PARTS}
    assert parts == pytest.approx({"prior": 0.25, "inverter": 0.05, "noise": 0.15, "encoder": 0.075})
    assert pytest.approx(0.525) == FIRST.sum
    assert (FIRST.total, FIRST.remainder, FIRST.avoidable) == pytest.approx((0.75, 0.225, 0.05))
    assert (FIRST.interaction, FIRST.unlike) == pytest.approx((-0.025, 0.25))


def test_a_share_is_the_ratio_of_two_means():
    share = BUDGET.share("noise", seed=Seed(1))
    assert share.value == pytest.approx((0.15 + 0.05) / (0.75 + 0.25))
    assert statistics.fmean(BUDGET.shares("total")) == pytest.approx(1.0)
    assert BUDGET.shares("total") == pytest.approx((1.0, 1.0)), "it is its own whole, whatever clips differ by"
    assert BUDGET.interval("noise", seed=Seed(1)).value == pytest.approx(0.1)


def test_the_interval_of_a_ratio_covers_it():
    """Parts that follow the whole clip by clip: their ratio is known far better than either."""
    random = np.random.default_rng(3)
    held = 0
    for number in range(400):
        whole = random.gamma(4, 0.1, 12)
        part = 0.3 * whole + random.normal(0, 0.02, 12)
        values = ratios(part.tolist(), whole.tolist())
        error = np.std(values, ddof=1) / np.sqrt(12)
        held += abs(np.mean(values) - 0.3) < 2.2 * error
        assert np.mean(values) == pytest.approx(part.mean() / whole.mean()), number
    # 2.2 standard errors hold 95 % with 11 degrees of freedom; 400 draws tell that to within 1.1 %.
    assert abs(held / 400 - 0.95) < 4 * 0.011


def test_clips_that_are_not_known_are_left_out_of_both_means():
    nan = float("nan")
    values = ratios([1.0, nan, 2.0, 5.0], [4.0, 1.0, 8.0, nan])
    assert values == pytest.approx((0.25, nan, 0.25, nan), nan_ok=True)
    assert all(np.isnan(ratios([1.0, 2.0], [0.0, 0.0])))
    assert ratios([], []) == ()
    with pytest.raises(WrongUse, match="1 parts and 2 wholes"):
        ratios([1.0], [1.0, 2.0])


def test_a_skill_is_one_minus_such_a_ratio():
    score, reference = [0.2, 0.3, 0.1], [0.5, 0.4, 0.3]
    assert skill(score, reference, seed=Seed(1)).value == pytest.approx(1 - 0.6 / 1.2)
    assert statistics.fmean(ratios(score, reference)) == pytest.approx(0.5)


def test_the_largest_part_is_named_with_what_would_mend_it():
    assert BUDGET.largest == "prior"
    words = BUDGET.sentence(seed=Seed(1))
    assert "prior 45%" in words
    assert "not accounted for 20%" in words
    assert "The largest part is prior:" in words
    nothing = Recovered(0.0, 0.0, (0.0,), 0.0, (0.0,), 0.0, 0.0)
    assert ErrorBudget(("a",), (nothing,)).sentence(seed=Seed(1)) == "There is no error to account for."
    assert "prior 33%," in ErrorBudget(("a",), (FIRST,)).sentence(seed=Seed(1)), "one clip has no interval"


def test_json_gives_back_what_it_was_given():
    assert ErrorBudget.from_json(json.loads(json.dumps(BUDGET.to_json(), allow_nan=False))) == BUDGET


def test_squared_error_counts_what_scores_count():
    truth = torch.zeros(4, 2, 2)
    answer = torch.arange(16.0).reshape(4, 2, 2)
    mask = torch.tensor([[1.0, 0.2], [0.0, 0.6]])
    by_hand = [answer[frame, row, column] ** 2 for frame in (2, 3) for row, column in ((0, 0), (1, 1))]
    assert mean_squared_error(answer, truth, mask=mask, burn_in=2) == pytest.approx(float(sum(by_hand)) / 4)
    with pytest.raises(WrongUse, match="compare movies of the same trial"):
        mean_squared_error(answer[:3], truth, burn_in=0)
