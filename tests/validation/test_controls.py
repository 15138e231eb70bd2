"""Each control destroys what it should and keeps what it should."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.observations import observed, same_but_for

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.validation import controls
from cinecortex.validation.controls import block_order

SEED = Seed(4) / "control"


def correlations(response: torch.Tensor) -> torch.Tensor:
    return torch.corrcoef(response.T)


READY = {
    "no_neurons": controls.no_neurons,
    "neurons_shuffled": controls.neurons_shuffled,
    "time_shifted": partial(controls.time_shifted, frames=13),
    "trials_swapped": partial(controls.trials_swapped, other=observed(name="b")),
    "behavior_swapped": partial(controls.behavior_swapped, other=observed(name="b")),
    "blocks_scrambled": partial(controls.blocks_scrambled, block=7),
    "time_reversed": controls.time_reversed,
    "response_noise": partial(controls.response_noise, share=0.5),
}


@pytest.mark.parametrize("name", READY)
def test_every_control_is_repeatable_and_leaves_what_it_is_given_alone(name):
    before = observed()
    kept = before.response.clone(), before.behavior.clone(), before.heard.clone()
    first, second = READY[name](before, SEED), READY[name](before, SEED)
    same_but_for(first, second)
    for one, other in zip(kept, (before.response, before.behavior, before.heard), strict=True):
        assert torch.equal(one, other)
    changed = (first.response, first.behavior, first.heard), kept
    assert any(not torch.equal(one, other) for one, other in zip(*changed, strict=True))
    assert first.frames == before.frames


def test_no_neurons_hears_nobody():
    before = observed()
    after = controls.no_neurons(before, SEED)
    assert not after.heard.any()
    same_but_for(before, after, "heard")


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_shuffled_neurons_are_one_cycle_that_moves_everybody(neurons, root):
    before = observed(5, neurons, heard=[n % 3 != 0 for n in range(neurons)])
    tagged = replace(before, response=torch.arange(neurons).expand(5, neurons).float())
    after = controls.neurons_shuffled(tagged, Seed(root))
    order = after.response[0].long()
    assert sorted(order.tolist()) == list(range(neurons))
    assert (order != torch.arange(neurons)).all()
    assert torch.equal(after.heard, before.heard[order])
    same_but_for(before, after, "response", "heard")


def test_shuffled_neurons_keep_what_is_shared():
    before = observed()
    after = controls.neurons_shuffled(before, SEED)
    torch.testing.assert_close(after.response.sum(1), before.response.sum(1))
    values = [torch.linalg.eigvalsh(correlations(one.response)) for one in (before, after)]
    torch.testing.assert_close(*values, atol=1e-5, rtol=0)
    with pytest.raises(WrongUse, match="where there are 1"):
        controls.neurons_shuffled(observed(neurons=1), SEED)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 39))
def test_a_shift_moves_everybody_alike_and_can_be_undone(frames):
    before = observed()
    after = controls.time_shifted(before, SEED, frames=frames)
    assert torch.equal(after.response[frames:], before.response[:-frames])
    assert torch.equal(after.response[:frames], before.response[-frames:])
    torch.testing.assert_close(correlations(after.response), correlations(before.response), atol=1e-5, rtol=0)
    back = controls.time_shifted(after, SEED, frames=40 - frames)
    same_but_for(before, back)
    same_but_for(before, after, "response")


@pytest.mark.parametrize("frames", [0, 40, -3])
def test_a_shift_that_is_none_is_refused(frames):
    with pytest.raises(WrongUse, match="cannot be shifted"):
        controls.time_shifted(observed(), SEED, frames=frames)


@pytest.mark.parametrize("frames", [25, 40, 60])
def test_a_swapped_trial_has_the_others_responses_and_its_own_behavior(frames):
    before = observed(heard=[True, True, True, False, True, True])
    other = observed(frames, name="b", heard=[False, True, True, True, True, True])
    after = controls.trials_swapped(before, SEED, other=other)
    common = min(frames, 40)
    assert torch.equal(after.response[:common], other.response[:common])
    assert after.response[common:].isnan().all()
    assert after.heard.tolist() == [False, True, True, False, True, True]
    same_but_for(before, after, "response", "heard")
    with pytest.raises(WrongUse, match="of 6 and of 5 neurons"):
        controls.trials_swapped(before, SEED, other=observed(neurons=5))


def test_swapped_behavior_is_the_others_and_never_jumps():
    before = observed()
    longer = observed(60, name="b")
    after = controls.behavior_swapped(before, SEED, other=longer)
    assert torch.equal(after.behavior, longer.behavior[:40])
    same_but_for(before, after, "behavior")
    ramp = torch.arange(6.0)[:, None].expand(6, 2)
    short = replace(observed(6, name="c"), behavior=ramp)
    course = controls.behavior_swapped(before, SEED, other=short).behavior[:, 0]
    assert course[:13].tolist() == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2]
    assert (course.diff().abs() == 1).all()
    with pytest.raises(WrongUse, match="channels"):
        controls.behavior_swapped(before, SEED, other=replace(longer, behavior_channels=("gaze x", "gaze y")))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=12).filter(lambda heard: sum(heard) > 1), st.integers(0, 1000))
def test_halves_share_nobody_and_miss_nobody(heard, root):
    before = observed(3, len(heard), heard=heard)
    first, second = controls.neurons_halved(before, Seed(root))
    assert not (first.heard & second.heard).any()
    assert torch.equal(first.heard | second.heard, before.heard)
    assert 0 <= int(first.heard.sum()) - int(second.heard.sum()) <= 1
    for half in (first, second):
        same_but_for(before, half, "heard")
    elsewhere = observed(9, len(heard), "z", heard=heard)
    assert torch.equal(controls.neurons_halved(elsewhere, Seed(root))[0].heard, first.heard)


def test_one_neuron_has_no_halves_and_halves_are_drawn_evenly():
    with pytest.raises(WrongUse, match="1 neurons are heard"):
        controls.neurons_halved(observed(heard=[True] + [False] * 5), SEED)
    firsts = torch.stack([controls.neurons_halved(observed(), SEED / n)[0].heard for n in range(300)])
    assert firsts.double().mean(0).tolist() == pytest.approx([0.5] * 6, abs=0.12)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.data(), st.integers(0, 1000))
def test_blocks_stay_whole_and_somewhere_else(frames, data, root):
    block = data.draw(st.integers(1, frames - 1))
    order = block_order(frames, block=block, seed=Seed(root))
    assert sorted(order.tolist()) == list(range(frames))
    assert order.tolist() != list(range(frames))
    # Within a block every frame is followed by its own next.
    inside = [at for at in range(frames - 1) if (int(order[at]) + 1) % block and int(order[at]) + 1 < frames]
    assert all(int(order[at + 1]) == int(order[at]) + 1 for at in inside)


def test_a_movie_can_be_scrambled_alike():
    before = observed()
    after = controls.blocks_scrambled(before, SEED, block=7)
    order = block_order(40, block=7, seed=SEED)
    assert torch.equal(after.response, before.response[order])
    assert torch.equal(after.behavior, before.behavior[order])
    same_but_for(before, after, "response", "behavior")
    for block in (0, 40, 41):
        with pytest.raises(WrongUse, match="blocks"):
            block_order(40, block=block, seed=SEED)


def test_backwards_twice_is_forwards():
    before = observed()
    after = controls.time_reversed(before, SEED)
    assert torch.equal(after.response[0], before.response[-1])
    assert torch.equal(after.behavior[3], before.behavior[-4])
    same_but_for(before, controls.time_reversed(after, SEED))
    same_but_for(before, after, "response", "behavior")


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_noise_keeps_every_neurons_values_and_gaps(share, root):
    before = observed()
    before.response[5:9, 2] = torch.nan
    after = controls.response_noise(before, Seed(root), share=share)
    assert torch.equal(after.response.isnan(), before.response.isnan())
    assert torch.equal(after.response.nan_to_num(-1).sort(0).values, before.response.nan_to_num(-1).sort(0).values)
    same_but_for(before, after, "response")


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_noise_takes_the_share_it_says(share):
    before = observed(200, 100)
    after = controls.response_noise(before, SEED, share=share)
    stacked = zip(before.response.T, after.response.T, strict=True)
    kept = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in stacked])
    assert float(kept.mean()) == pytest.approx(1 - share, abs=0.025)
    # What is put in for one neuron has nothing to do with what is put in for another.
    assert float((correlations(after.response) - torch.eye(100)).abs().mean()) < 0.08
    for wrong in (-0.1, 1.1):
        with pytest.raises(WrongUse, match="share"):
            controls.response_noise(before, SEED, share=wrong)
