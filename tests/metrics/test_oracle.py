"""What repeats say: signal and noise of known power."""

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.oracle import average_correlation, explainable_variance, oracle, oracle_jackknife

FRAMES, NEURONS = 40_000, 3
SIGNAL, NOISE = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([1.0, 4.0, 1.0])


def made(repeats: int, frames: int = FRAMES, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Signal and presentations; signal and noise powers as above."""
    random = torch.Generator().manual_seed(seed)
    signal = torch.randn(frames, NEURONS, generator=random, dtype=torch.float64) * SIGNAL.sqrt()
    noise = torch.randn(repeats, frames, NEURONS, generator=random, dtype=torch.float64) * NOISE.sqrt()
    return signal, signal + noise


@pytest.mark.parametrize("repeats", [2, 5])
def test_the_oracle_is_where_signal_and_noise_put_it(repeats: int) -> None:
    expected = SIGNAL / ((SIGNAL + NOISE) * (SIGNAL + NOISE / (repeats - 1))).sqrt()
    np.testing.assert_allclose(oracle(made(repeats)[1]), expected, atol=0.012)


def test_the_oracle_is_the_correlation_with_the_mean_of_the_others() -> None:
    clips = [made(3, 50, seed=1)[1], made(4, 30, seed=2)[1]]
    found = oracle(clips)
    for n in range(NEURONS):
        guess = [np.delete(c[..., n].numpy(), i, 0).mean(0) for c in clips for i in range(len(c))]
        truth = [c[i, :, n].numpy() for c in clips for i in range(len(c))]
        assert float(found[n]) == pytest.approx(np.corrcoef(np.concatenate(guess), np.concatenate(truth))[0, 1])


def test_the_jackknife_comes_closer_to_infinitely_many_presentations() -> None:
    ceiling = (SIGNAL / (SIGNAL + NOISE)).sqrt()
    repeats = made(8)[1]
    plain, corrected = oracle(repeats), oracle_jackknife(repeats)
    assert (plain[:2] < ceiling[:2] - 0.02).all()
    assert ((corrected - ceiling).abs()[:2] < 0.5 * (plain - ceiling).abs()[:2]).all()
    assert float(corrected[2].abs()) < 0.05


def test_the_jackknife_by_hand() -> None:
    repeats = made(3, 40)[1]
    pairs = torch.stack([oracle(repeats[[i, j]]) for i, j in ((0, 1), (0, 2), (1, 2))]).mean(0)
    torch.testing.assert_close(oracle_jackknife(repeats), 3 * oracle(repeats) - 2 * pairs)


@pytest.mark.parametrize("repeats", [2, 6])
def test_explainable_variance_is_the_share_of_the_signal(repeats: int) -> None:
    np.testing.assert_allclose(explainable_variance(made(repeats)[1]), SIGNAL / (SIGNAL + NOISE), atol=0.02)


def test_explainable_variance_by_hand_over_clips_of_unequal_kind() -> None:
    clips = [made(3, 50, seed=1)[1] + 2, made(4, 30, seed=2)[1]]
    found = explainable_variance(clips)
    for n in range(NEURONS):
        every = np.concatenate([c[..., n].numpy().ravel() for c in clips])
        noise = np.concatenate([c[..., n].numpy().var(0, ddof=1) for c in clips]).mean()
        assert float(found[n]) == pytest.approx(1 - noise / every.var(ddof=1))


def test_noise_that_is_slow_leaves_the_explainable_variance_alone() -> None:
    signal, _ = made(1)
    slow = torch.randn(4, FRAMES // 20, NEURONS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    noise = slow.repeat_interleave(20, 1) * NOISE.sqrt()
    np.testing.assert_allclose(explainable_variance(signal + noise), SIGNAL / (SIGNAL + NOISE), atol=0.02)


def test_the_average_is_taken_before_the_correlation() -> None:
    rates, repeats = [made(2, 60, seed=s)[1] for s in (1, 2)], [made(2, 60, seed=s)[1] for s in (3, 4)]
    rate, response = (torch.cat([c.mean(0) for c in side]) for side in (rates, repeats))
    expected = [np.corrcoef(rate[:, n], response[:, n])[0, 1] for n in range(NEURONS)]
    np.testing.assert_allclose(average_correlation(rates, repeats), expected, atol=1e-12)


def test_the_true_rate_beside_the_average_response() -> None:
    signal, repeats = made(4)
    expected = (SIGNAL / (SIGNAL + NOISE / 4)).sqrt()
    found = average_correlation(signal.expand(4, -1, -1), repeats)
    np.testing.assert_allclose(found[:2], expected[:2], atol=0.01)


def test_frames_that_a_presentation_lacks_are_left_out_of_all() -> None:
    repeats = made(3, 60)[1]
    holed = repeats.clone()
    holed[1, 20:30, 0] = torch.nan
    kept = torch.cat([repeats[:, :20], repeats[:, 30:]], 1)
    for measure in (oracle, oracle_jackknife, explainable_variance):
        assert float(measure(holed)[0]) == pytest.approx(float(measure(kept)[0]))
        assert float(measure(holed)[1]) == pytest.approx(float(measure(repeats)[1]))


def test_silent_neurons_have_no_score() -> None:
    repeats = made(3, 60)[1]
    repeats[..., 1] = 0.0
    for measure in (oracle, oracle_jackknife, explainable_variance):
        assert measure(repeats).isnan().tolist() == [False, True, False]


def test_too_few_presentations_are_refused() -> None:
    with pytest.raises(WrongUse, match="at least 2 presentations"):
        oracle(made(1, 20)[1])
    with pytest.raises(WrongUse, match="at least 3 presentations"):
        oracle_jackknife(made(2, 20)[1])
