"""Surrogates: spectra and cross-spectra stay, the course in time does not."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.observations import observed, same_but_for

from cinecortex.errors import WrongUse
from cinecortex.recording import Observation
from cinecortex.seeds import Seed
from cinecortex.validation.phase_randomised import phase_randomised

SEED = Seed(6)


def cross_spectra(response: torch.Tensor) -> torch.Tensor:
    """``frequency neuron neuron``; power spectra on the diagonal."""
    spectra = torch.fft.rfft(response.double(), dim=0)
    return spectra[:, :, None] * spectra[:, None].conj()


def correlated(frames: int = 200, neurons: int = 6) -> Observation:
    """Skewed, non-negative, slow, with neurons in pairs that do nearly the same, one two frames later."""
    random = Seed(8).torch()
    slow = torch.randn(frames + 20, neurons // 2, generator=random).unfold(0, 12, 1).mean(2)
    own = 0.1 * torch.randn(frames, neurons, generator=random)
    drive = torch.cat([slow[2 : frames + 2], slow[:frames]], 1) + own
    before = observed(frames, neurons)
    return replace(before, response=(4 * drive).exp())


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 31), st.integers(1, 5), st.integers(0, 1000))
def test_spectra_and_cross_spectra_are_exact(frames, neurons, root):
    before = observed(frames, neurons)
    before = replace(before, response=before.response.double() - 0.3)
    after = phase_randomised(before, Seed(root), non_negative=False)
    torch.testing.assert_close(cross_spectra(after.response), cross_spectra(before.response), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(after.response.mean(0), before.response.mean(0))
    same_but_for(before, after, "response")


def test_a_phase_of_ones_own_would_lose_the_cross_spectra():
    before = correlated()
    alone = [
        phase_randomised(replace(before, response=before.response[:, n : n + 1], heard=before.heard[:1]), SEED / n)
        for n in range(6)
    ]
    apart = torch.cat([one.response for one in alone], 1)
    together = phase_randomised(before, SEED).response
    true, kept, lost = (torch.corrcoef(one.T)[0, 3] for one in (before.response[2:], together[2:], apart[2:]))
    assert abs(kept - true) < 0.12
    assert abs(lost - true) > 0.2


def test_the_course_in_time_is_gone():
    before = replace(correlated(), response=correlated().response - 1)
    after = torch.stack([phase_randomised(before, SEED / n, non_negative=False).response for n in range(40)])
    centred = before.response - before.response.mean(0)
    moved = after - after.mean(1, keepdim=True)
    likeness = (moved * centred).sum(1) / centred.square().sum(0)
    assert float(likeness.mean()) == pytest.approx(0, abs=0.1)
    assert float(likeness.abs().max()) < 0.8


def test_rates_stay_rates_with_nearly_their_spectra():
    before = correlated()
    after = phase_randomised(before, SEED)
    assert (after.response >= 0).all()
    torch.testing.assert_close(after.response.sort(0).values, before.response.sort(0).values)
    wanted, found = (cross_spectra(one.response)[1:] for one in (before, after))
    assert float((found - wanted).abs().sum() / wanted.abs().sum()) < 0.25
    assert abs(torch.corrcoef(torch.stack([before.response[:, 0], after.response[:, 0]]))[0, 1]) < 0.6
    # Without the adaptation the values would fit and the spectra less.
    hasty = phase_randomised(before, SEED, iterations=0)
    unadapted = cross_spectra(hasty.response)[1:]
    assert float((unadapted - wanted).abs().sum()) > float((found - wanted).abs().sum())


def test_gaps_stay_gaps_and_the_rest_is_joined():
    before = correlated(40)
    response = before.response.clone()
    response[10:15] = torch.nan
    response[20, 1] = torch.nan
    response[30:, 5] = torch.nan
    heard = torch.tensor([True] * 5 + [False])
    before = replace(before, response=response - 1, heard=heard)
    after = phase_randomised(before, SEED).response
    gone = torch.zeros(40, dtype=torch.bool)
    gone[10:15] = gone[20] = True
    assert torch.equal(after[:, :5].isnan(), gone[:, None].expand(40, 5))
    assert after[:, 5].isnan().all(), "an unheard neuron without all frames has no surrogate"
    spectra = [cross_spectra(one[~gone, :5]) for one in (after, before.response)]
    torch.testing.assert_close(*spectra, atol=1e-3, rtol=1e-3)


def test_repeatable_and_refused_where_there_is_nothing_to_turn():
    before = correlated(40)
    first, second = phase_randomised(before, SEED), phase_randomised(before, SEED)
    assert torch.equal(first.response, second.response)
    assert not torch.equal(first.response, phase_randomised(before, Seed(7)).response)
    response = before.response.clone()
    response[3:, 0] = torch.nan
    with pytest.raises(WrongUse, match="only 3 frames"):
        phase_randomised(replace(before, response=response), SEED)
