import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.io import imsave
from tests.in_memory import InMemory

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import BadData, WrongUse
from cinecortex.inversion import masks
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.priors import Spectral
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics

SCREEN = (10, 24)


def half_seen(left: bool = True) -> LinearNonlinear:
    """Cells all over one half of the screen, and none that reaches into the other."""
    y, x = np.mgrid[: SCREEN[0], : SCREEN[1]]
    places = [(row, column) for row in range(1, 10, 2) for column in range(1, 11, 2)]
    blobs = np.stack([np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2.0) for row, column in places])
    blobs[:, :, 12:] = 0
    filters = 0.8 * (blobs if left else blobs[:, :, ::-1])[:, None] * np.array([0.5, 1.0])[None, :, None, None]
    return LinearNonlinear(torch.from_numpy(filters.copy()).float(), torch.zeros(len(places)))


def trials_of(encoder: LinearNonlinear, count: int, frames: int = 40, missing: bool = False) -> list[Trial]:
    trials = []
    for number in range(count):
        random = np.random.default_rng(number)
        noise = gaussian_filter(random.standard_normal((frames, *SCREEN)), 1.0)
        movie = torch.from_numpy(np.clip(0.5 + 0.2 * noise / noise.std(), 0, 1)).float()
        response = encoder(movie[None], torch.zeros(1, frames, 0))[0].detach()
        response = torch.from_numpy(random.poisson(response.numpy())).float()
        if missing:
            response[:, 3], response[5:9] = torch.nan, torch.nan
        trials.append(Trial(str(number), "half", "train", 30.0, SCREEN, (), InMemory(movie, response)))
    return trials


def trained(encoder: LinearNonlinear, trials: list[Trial], **options) -> np.ndarray:
    # A screen of 240 pixels rather than 4,096: the norm of the gradient spreads over fewer, so the step is smaller.
    return masks.trained_transparency(
        encoder, trials, **{"steps": 250, "step_size": 2.0, "sigma_px": 1.0, "seed": Seed(0), **options}
    ).numpy()


def sensitive(encoder: LinearNonlinear) -> np.ndarray:
    fall = 1 / (1 + torch.arange(15.0)) ** 2
    prior = Spectral.of(MovieStatistics(0.5, 0.5 * torch.outer(fall, fall), 60, 0.0, 0.3, 10))
    return masks.sensitivity(encoder, Poisson(torch.ones(encoder.neurons)), prior, seed=Seed(0)).numpy()


@pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
@pytest.mark.parametrize("source", ["sensitivity", "trained"])
def test_masks_find_the_half_of_the_screen_that_is_seen(source, left):
    encoder = half_seen(left)
    mask = sensitive(encoder) if source == "sensitivity" else trained(encoder, trials_of(encoder, 6))
    assert mask.shape == SCREEN
    assert mask.min() >= 0
    assert mask.max() <= 1
    seen, unseen = (mask[:, :11], mask[:, 14:]) if left else (mask[:, 13:], mask[:, :10])
    assert seen.mean() > 0.6
    assert unseen.max() < 0.2


def test_a_trained_mask_follows_its_seed_and_survives_what_is_missing():
    encoder = half_seen()
    trials = trials_of(encoder, 3, missing=True)
    first, again, other = (trained(encoder, trials, steps=5, seed=Seed(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.isfinite(first).all()


def test_a_pull_makes_opacity_dear():
    encoder = half_seen()
    trials = trials_of(encoder, 4)
    assert trained(encoder, trials, steps=60, pull=True).mean() < 0.9 * trained(encoder, trials, steps=60).mean()


def test_a_mask_is_trained_on_still_pictures_too():
    encoder = half_seen()
    mask = trained(encoder, trials_of(encoder, 8, frames=1), steps=150)
    assert mask[:, :10].mean() > 3 * mask[:, 14:].mean()


def test_one_trial_is_not_enough_to_train_a_mask():
    encoder = half_seen()
    only, silent = trials_of(encoder, 2)
    silent = Trial("1", "half", "train", 30.0, SCREEN, (), InMemory(silent.movie, None))
    with pytest.raises(WrongUse, match="two trials with recorded responses"):
        trained(encoder, [only, silent])


def test_a_mask_is_read_from_an_array_and_from_a_picture(tmp_path):
    mask = np.linspace(0, 1, 24).reshape(4, 6)
    np.save(tmp_path / "mask.npy", mask)
    np.testing.assert_allclose(masks.given(tmp_path / "mask.npy", (4, 6)), mask, atol=1e-7)
    np.save(tmp_path / "yes_or_no.npy", mask > 0.5)
    np.testing.assert_array_equal(masks.given(tmp_path / "yes_or_no.npy", (4, 6)), mask > 0.5)
    gray = np.round(255 * mask).astype(np.uint8)
    for name, picture in {"gray.png": gray, "color.png": np.stack([gray] * 3, -1), "gray.bmp": gray}.items():
        imsave(tmp_path / name, picture, check_contrast=False)
        np.testing.assert_allclose(masks.given(tmp_path / name, (4, 6)), mask, atol=0.5 / 255 + 1e-6)


def faulty(folder, name):
    path = folder / name
    if name == "empty.npy":
        path.touch()
    elif name == "text.png":
        path.write_text("no picture")
    elif name == "objects.npy":
        np.save(path, np.array([{}, None]), allow_pickle=True)
    elif name == "words.npy":
        np.save(path, np.full((4, 6), "seen"))
    elif name == "archive.npy":
        with path.open("wb") as file:
            np.savez(file, mask=np.ones((4, 6)))
    elif name == "high.npy":
        np.save(path, np.full((4, 6), 1.5))
    elif name == "nan.npy":
        np.save(path, np.full((4, 6), np.nan))
    elif name == "wide.npy":
        np.save(path, np.ones((4, 7)))
    elif name == "red.png":
        imsave(path, np.stack([np.eye(6, dtype=np.uint8)[:4] * 255, *np.zeros((2, 4, 6), np.uint8)], -1))
    elif name == "clear.png":
        imsave(path, np.full((4, 6, 4), 128, np.uint8), check_contrast=False)
    return path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent.npy", "does not exist"),
        ("absent.png", "does not exist"),
        ("empty.npy", "not a readable NumPy .npy array"),
        ("objects.npy", "not a readable NumPy .npy array"),
        ("words.npy", "does not hold a plain array of numbers"),
        ("archive.npy", "does not hold a plain array of numbers"),
        ("text.png", "not a readable picture"),
        ("high.npy", "runs from 1.5 to 1.5, but a mask runs from 0 to 1"),
        ("nan.npy", "not numbers"),
        ("wide.npy", "mask of 4x7 px, but the movies are of 4x6 px"),
        ("red.png", "colors or transparency"),
        ("clear.png", "colors or transparency"),
    ],
)
def test_a_file_that_is_no_mask_is_refused(tmp_path, name, sentence):
    with pytest.raises(BadData, match=sentence) as raised:
        masks.given(faulty(tmp_path, name), (4, 6))
    assert name in str(raised.value)
