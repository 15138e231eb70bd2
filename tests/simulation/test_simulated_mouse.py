"""The physics of the in-silico mouse: every claim about it is measured from outside, with stimuli."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import draw_behavior, resting_behavior
from cinecortex.simulation.mouse import Mouse
from cinecortex.simulation.retina import GRAY
from cinecortex.simulation.wiring import pinhole
from cinecortex.stimuli.dead_leaves import dead_leaves
from cinecortex.stimuli.gratings import drifting_grating

DIRECTIONS_DEG = np.arange(0.0, 360.0, 30.0)


@pytest.fixture(scope="module")
def mouse() -> Mouse:
    return Mouse.draw(neurons=160, seed=Seed(1))


@pytest.fixture(scope="module")
def clips() -> list[torch.Tensor]:
    return [dead_leaves(Seed(9) / i) for i in range(6)]


@pytest.fixture(scope="module")
def trials(mouse: Mouse, clips: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Rates and single-trial responses, ``clip time neuron``."""
    behaviors = [draw_behavior(300, Seed(10) / i) for i in range(len(clips))]
    rates = [mouse.rate(clip, behavior) for clip, behavior in zip(clips, behaviors, strict=True)]
    responses = [mouse.respond(clips[i], behaviors[i], Seed(11) / i) for i in range(len(clips))]
    return torch.stack(rates).numpy(), torch.stack(responses).numpy()


@pytest.fixture(scope="module")
def tuned(mouse: Mouse) -> tuple[np.ndarray, np.ndarray]:
    """Mean rate ``direction neuron`` at each neuron's better frequency, and F1 / F0 at the best grating."""
    behavior = resting_behavior(90)
    wave = torch.exp(-2j * np.pi * 2 * torch.arange(60) / 30)[:, None]
    mean, modulation = [], []
    for direction in DIRECTIONS_DEG:
        for frequency in (0.06, 0.1):
            grating = drifting_grating(
                direction_deg=float(direction), spatial_frequency_cycles_per_px=frequency, frames=90
            )
            rate = mouse.rate(grating, behavior)[30:]
            mean.append(rate.mean(0))
            modulation.append(2 * (rate * wave).mean(0).abs() / rate.mean(0))
    means, modulations = torch.stack(mean), torch.stack(modulation)
    best = means.argmax(0, keepdim=True)
    curves = means.reshape(len(DIRECTIONS_DEG), 2, -1).amax(1)
    return curves.numpy(), modulations.gather(0, best)[0].numpy()


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each column."""
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))


def test_contrast_is_encoded(mouse: Mouse, clips: list[torch.Tensor]) -> None:
    behavior, contrasts = resting_behavior(300), np.array([0.4, 0.6, 0.8, 1.0])
    means = [
        np.mean([float(mouse.rate(c.mean() + k * (c - c.mean()), behavior)[30:].mean()) for c in clips])
        for k in contrasts
    ]
    assert 0.6 <= np.polyfit(np.log(contrasts), np.log(means), 1)[0] <= 0.9


def test_orientation_is_the_one_stated(mouse: Mouse, tuned: tuple[np.ndarray, np.ndarray]) -> None:
    vector = (tuned[0] * np.exp(2j * np.deg2rad(DIRECTIONS_DEG))[:, None]).sum(0)
    measured = (np.rad2deg(np.angle(vector)) / 2 + 90) % 180
    error = np.abs((measured - mouse.tuning.orientation_deg.numpy() + 90) % 180 - 90)
    selective = mouse.tuning.orientation_selectivity.numpy() > 0.25
    assert selective.mean() > 0.5
    assert np.median(error[selective]) < 8
    assert np.percentile(error[selective], 90) < 20


def test_direction_is_the_one_stated(mouse: Mouse, tuned: tuple[np.ndarray, np.ndarray]) -> None:
    measured = DIRECTIONS_DEG[tuned[0].argmax(0)]
    error = np.abs((measured - mouse.tuning.direction_deg.numpy() + 180) % 360 - 180)
    selective = mouse.tuning.direction_selectivity.numpy() > 0.3
    assert selective.mean() > 0.2
    assert (error[selective] < 45).mean() > 0.9  # chance: a quarter


def test_simple_cells_follow_the_phase_and_complex_cells_do_not(
    mouse: Mouse, tuned: tuple[np.ndarray, np.ndarray]
) -> None:
    modulation = tuned[1]
    assert mouse.is_complex.mean() == 0.5
    assert (modulation[~mouse.is_complex] > 0.8).mean() > 0.95
    assert (modulation[mouse.is_complex] < 0.8).mean() > 0.95
    assert np.median(modulation[mouse.is_complex]) < 0.45


def test_the_receptive_field_is_where_the_truth_says(mouse: Mouse, clips: list[torch.Tensor]) -> None:
    """The rate is differentiable; the energy of its gradient lies about the stated centre."""
    row, column = np.mgrid[:36, :64]
    for neuron in (0, 33, 90, 140):
        movie = clips[1][:40].clone().requires_grad_()
        mouse.rate(movie, resting_behavior(40))[:, neuron].sum().backward()  # type: ignore[no-untyped-call]
        assert movie.grad is not None
        energy = (movie.grad**2).sum(0).numpy()
        found = np.array([(energy * row).sum(), (energy * column).sum()]) / energy.sum()
        assert np.hypot(*(found - mouse.rf_center_px[neuron])) < 4.0


def test_the_population_sees_through_a_pinhole() -> None:
    centres = pinhole(2000, np.random.default_rng(0), (36, 64))
    row, column = np.mgrid[:36, :64]
    nearest = np.min(np.hypot(row[..., None] - centres[:, 0], column[..., None] - centres[:, 1]), axis=-1)
    assert 0.5 <= (nearest < 1.5).mean() <= 0.65
    radius = np.hypot((centres[:, 0] - 17.5) / 16.2, (centres[:, 1] - 31.5) / 25.0)
    inner, outer = (radius < 0.5).sum() / 0.25, (radius > 0.9).sum() / (1 - 0.81)
    assert inner > 1.5 * outer


def test_single_trial_reliability_is_that_of_real_data(trials: tuple[np.ndarray, np.ndarray]) -> None:
    rates, responses = (array.reshape(-1, array.shape[2]) for array in trials)
    assert 0.35 <= np.median(_correlation(rates, responses)) <= 0.45


def test_the_rate_is_what_responses_average_to(mouse: Mouse, clips: list[torch.Tensor]) -> None:
    """Shared noise is silenced: it has mean one, but would need thousands of trials to average out."""
    calm = replace(mouse.recorded, loadings=torch.zeros_like(mouse.recorded.loadings), private=0.0)
    quiet, behavior = replace(mouse, recorded=calm), resting_behavior(60)
    rate = quiet.rate(clips[0][:60], behavior)
    mean = torch.stack([quiet.respond(clips[0][:60], behavior, Seed(2) / i) for i in range(120)]).mean(0)
    assert float(mean.mean() / rate.mean()) == pytest.approx(1, abs=0.015)
    active = rate.mean(0) > rate.mean(0).median()
    assert np.median(_correlation(rate[:, active].numpy(), mean[:, active].numpy())) > 0.9


def test_shared_noise_is_a_gain_of_mean_one(mouse: Mouse) -> None:
    gain = torch.cat([mouse.recorded._gain(np.random.default_rng(i), 400) for i in range(60)])
    assert float(gain.mean()) == pytest.approx(1, abs=0.05)
    assert float(gain.min()) > 0
    assert 0.3 < float(gain.std(0).median()) < 1.0


def test_responses_are_recorded_and_not_ideal(trials: tuple[np.ndarray, np.ndarray]) -> None:
    rates, responses = trials
    assert responses.min() == 0
    assert np.isfinite(responses).all()
    residual = (responses - rates) / np.sqrt(rates + 1e-3)
    residual -= residual.mean((0, 1))
    power = (residual**2).sum((0, 1))
    later = {lag: np.median((residual[:, lag:] * residual[:, :-lag]).sum((0, 1)) / power) for lag in (1, 2, 10)}
    # One look in 3.75 frames: neighbours share it, frames a third of a second apart hardly anything.
    assert later[1] > 0.8
    assert 0.5 < later[2] < 0.8
    assert abs(later[10]) < 0.15


def test_neurons_share_noise(trials: tuple[np.ndarray, np.ndarray]) -> None:
    rates, responses = trials
    residual = ((responses - rates) / np.sqrt(rates + 1e-3)).reshape(-1, rates.shape[2])
    correlation = np.corrcoef(residual.T)[np.triu_indices(rates.shape[2], 1)]
    assert 0.003 < correlation.mean() < 0.1


def test_running_and_a_wide_pupil_raise_the_rate(mouse: Mouse, clips: list[torch.Tensor]) -> None:
    rest, running, wide = (resting_behavior(100) for _ in range(3))
    running[:, 1] = 15.0
    wide[:, 0] *= 1.4
    clip = clips[0][:100]
    still = mouse.rate(clip, rest).mean(0)
    assert 1.2 < float((mouse.rate(clip, running).mean(0) / still).median()) < 1.8
    assert 1.05 < float((mouse.rate(clip, wide).mean(0) / still).median()) < 1.5


def test_a_gaze_to_the_right_and_down_moves_every_receptive_field_there(mouse: Mouse) -> None:
    """What is seen at (row, column) looking ahead is seen at (row + 2, column + 3) looking 3 right and 2 down."""
    movie = torch.full((30, 36, 64), GRAY)
    movie[:, 10:26, 16:48] = dead_leaves(Seed(4), frames=30, frame_size=(16, 32))
    aside = resting_behavior(30)
    aside[:, 2], aside[:, 3] = 3.0, 2.0
    moved = torch.roll(movie, (2, 3), dims=(1, 2))
    ahead = mouse.rate(movie, resting_behavior(30))
    torch.testing.assert_close(mouse.rate(moved, aside), ahead, atol=1e-4, rtol=1e-3)
    assert float((mouse.rate(movie, aside) - ahead).abs().max()) > 0.05


def test_a_mask_at_right_angles_suppresses(mouse: Mouse) -> None:
    """Divisive normalisation: adding an orthogonal grating lowers the response of selective cells."""
    behavior, changes = resting_behavior(60), []
    for direction in (0.0, 60.0, 120.0):
        own = drifting_grating(direction_deg=direction, contrast=0.4, frames=60)
        mask = drifting_grating(direction_deg=direction + 90, contrast=0.4, frames=60)
        distance = np.abs((mouse.tuning.direction_deg.numpy() - direction + 180) % 360 - 180)
        prefers = (distance < 15) & (mouse.tuning.orientation_selectivity.numpy() > 0.25)
        alone = mouse.rate(own, behavior)[20:].mean(0)
        masked = mouse.rate(own + mask - 0.5, behavior)[20:].mean(0)
        changes += (masked / alone)[torch.from_numpy(prefers)].tolist()
    assert len(changes) >= 6
    assert np.median(changes) < 0.9


def test_a_seed_is_a_mouse_and_a_trial(clips: list[torch.Tensor]) -> None:
    mouse, again, other = (Mouse.draw(neurons=8, seed=seed) for seed in (Seed(1), Seed(1), Seed(2)))
    behavior = resting_behavior(60)
    clip = clips[2][:60]
    assert torch.equal(mouse.respond(clip, behavior, Seed(5)), again.respond(clip, behavior, Seed(5)))
    assert torch.equal(mouse.rate(clip, behavior), again.rate(clip, behavior))
    assert not torch.equal(mouse.respond(clip, behavior, Seed(5)), mouse.respond(clip, behavior, Seed(6)))
    assert not torch.equal(mouse.rate(clip, behavior), other.rate(clip, behavior))


def test_blocks_change_nothing(mouse: Mouse, clips: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    behavior = resting_behavior(30)
    whole = mouse.rate(clips[0][:30], behavior)
    monkeypatch.setattr("cinecortex.simulation.cortex._BLOCK", 12)
    torch.testing.assert_close(mouse.rate(clips[0][:30], behavior), whole, atol=1e-5, rtol=1e-4)


def test_other_screens_and_frame_rates() -> None:
    mouse = Mouse.draw(neurons=1, seed=Seed(0), frame_size=(20, 24), frame_rate_hz=60.0)
    rate = mouse.rate(torch.rand(7, 20, 24, generator=Seed(0).torch()), resting_behavior(7))
    assert rate.shape == (7, 1)
    assert bool((rate >= 0).all())
    assert "1 neurons" in repr(mouse)


@pytest.mark.parametrize("wrong", [{"neurons": 0}, {"frame_size": (4, 64)}, {"frame_rate_hz": 8.0}])
def test_impossible_mice_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongUse, match="a mouse needs"):
        Mouse.draw(seed=Seed(0), **wrong)  # type: ignore[arg-type]


def test_movies_and_behaviors_that_do_not_fit_are_refused(mouse: Mouse) -> None:
    movie = torch.zeros(10, 36, 64)
    with pytest.raises(WrongUse, match="36x64"):
        mouse.rate(movie[:, :30], resting_behavior(10))
    with pytest.raises(WrongUse, match="channels"):
        mouse.rate(movie, resting_behavior(10)[:, :2])
