import math

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.inversion.convergence import effective_draws, effective_for_mean, r_hat

CHAINS, DRAWS, QUANTITIES = 4, 2000, 200


def autoregressions(rho: float, *, chains: int = CHAINS, draws: int = DRAWS, quantities: int = QUANTITIES):
    """Stationary first-order autoregressions of unit variance, ``chain draw quantity``."""
    random = np.random.default_rng(round(1000 * (1 + rho)))
    noise = random.standard_normal((chains, draws, quantities)) * math.sqrt(1 - rho**2)
    values = np.empty_like(noise)
    values[:, 0] = random.standard_normal((chains, quantities))
    for step in range(1, draws):
        values[:, step] = rho * values[:, step - 1] + noise[:, step]
    return torch.from_numpy(values)


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("effective", [effective_draws, effective_for_mean])
def test_the_effective_draws_of_autoregressions_are_those_of_the_closed_form(rho, effective):
    expected = CHAINS * DRAWS * (1 - rho) / (1 + rho)
    found = effective(autoregressions(rho))
    assert float(found.mean()) == pytest.approx(expected, rel=0.06)
    assert float(found.std()) < 0.25 * expected


def test_the_error_of_a_mean_is_its_spread_over_the_root_of_the_effective_draws():
    """Without the closed form: means of many independent sets of chains scatter as the effective draws say."""
    values = autoregressions(0.8, draws=500, quantities=1000)
    errors = values.mean((0, 1)) * effective_for_mean(values).sqrt() / values.std((0, 1))
    assert float(errors.std()) == pytest.approx(1, abs=0.08)  # its standard error is 0.022


def test_ranks_serve_where_there_is_no_variance():
    """Cauchy draws: a monotone change of the quantity changes neither number."""
    values = autoregressions(0.5, quantities=20)
    cauchy = torch.tan(math.pi * (torch.special.ndtr(values) - 0.5))
    torch.testing.assert_close(effective_draws(cauchy), effective_draws(values))
    # Folding is about the median, which the monotone change keeps, but distances from it change their order a little.
    torch.testing.assert_close(r_hat(cauchy), r_hat(values), atol=0.01, rtol=0)


def test_chains_that_agree_have_an_r_hat_of_one():
    assert bool((r_hat(autoregressions(0.0)) < 1.005).all())
    assert bool((r_hat(autoregressions(0.0)) > 0.999).all())


def test_a_chain_elsewhere_is_found_by_the_closed_form():
    values = autoregressions(0.0, quantities=50)
    values[0] += 0.5
    # Of four chains one lies 0.5 away: the eight half means have a variance of 0.5^2 * (1/4) (3/4) * 8/7. Ranks turn
    # the mixture, of variance 1 + 3/64, into a unit normal, which shrinks within and between alike.
    assert float(r_hat(values).mean()) == pytest.approx(math.sqrt(1 + 0.25 * 3 / 16 * 8 / 7), abs=0.003)
    assert bool((effective_draws(values) < 200).all())


def test_a_chain_of_another_spread_is_found_though_all_means_agree():
    values = autoregressions(0.0, quantities=50)
    values[0] *= 3
    values[1] *= 3
    assert bool((r_hat(values) > 1.1).all())


def test_a_drift_within_chains_is_found_though_all_chains_agree():
    values = autoregressions(0.0, quantities=50) + torch.linspace(-1, 1, DRAWS, dtype=torch.float64)[:, None]
    assert bool((r_hat(values) > 1.1).all())


def test_ties_of_refused_proposals_are_judged_and_what_stands_still_is_not():
    values = autoregressions(0.0, draws=500, quantities=30).repeat_interleave(4, dim=1)
    found = float(effective_draws(values).mean())
    assert found == pytest.approx(CHAINS * 500, rel=0.1)
    still = torch.ones(4, 100, 1)
    assert bool(effective_draws(still).isnan().all())
    apart = torch.arange(4.0)[:, None, None].expand(4, 100, 1)
    assert bool((r_hat(apart) > 1e6).all())
    assert bool(r_hat(still).isnan().all())


def test_a_draw_that_is_not_a_number_gives_no_number():
    values = autoregressions(0.0, quantities=3)
    values[1, 7, 1] = torch.nan
    for judge in (r_hat, effective_draws, effective_for_mean):
        assert judge(values).isnan().tolist() == [False, True, False]


def test_chains_too_short_to_judge_are_refused():
    with pytest.raises(WrongUse, match="at least 4"):
        r_hat(torch.zeros(4, 3))
