"""The picture of the README shows the clip of median score, as it is."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tests.in_memory import InMemory

from cinecortex.data import read_result, write_result
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Neurons, Recording, Trial

FRAMES, SIZE = 40, (9, 16)
MASK = torch.zeros(SIZE).index_fill(1, torch.arange(4, 12), 1.0)


@pytest.fixture(scope="module")
def picture(benchmark_module):
    return benchmark_module("picture")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Five trials whose answers are the better the less noise was added; trial 4 is the median, trial 1 the best."""
    folder = tmp_path_factory.mktemp("demo")
    generator = torch.Generator().manual_seed(0)
    noise = {"0": 0.8, "1": 0.01, "2": 0.6, "3": 0.1, "4": 0.3}
    trials = tuple(
        Trial(n, "s", "test", 30.0, SIZE, (), InMemory(torch.rand(FRAMES, *SIZE, generator=generator))) for n in noise
    )
    recording = Recording(
        "s", trials, Neurons(np.arange(3)), 30.0, SIZE, "spikes", (), {"simulated": "true"}, folder, "0"
    )
    answers, means = [], []
    for trial in trials:
        spoilt = trial.movie + noise[trial.trial_id] * torch.randn(FRAMES, *SIZE, generator=generator)
        spoilt[:, :, :4] = 0  # outside of the mask everything may be wrong
        answers.append((trial, Reconstruction(movie=spoilt.clamp(0, 1), ended="", mask=MASK)))
        means.append((trial, Reconstruction(movie=torch.full((FRAMES, *SIZE), 0.5), ended="")))
    write_result(folder / "map.zarr", answers, attrs={})
    write_result(folder / "mean.zarr", means, attrs={})
    return recording, read_result(folder / "map.zarr"), read_result(folder / "mean.zarr")


def test_clips_come_in_the_order_of_their_scores_inside_the_mask(picture, demo):
    clips = picture.clips_of(*demo)
    assert [clip.trial_id for clip in clips] == ["0", "2", "4", "3", "1"]
    assert clips[-1].score > 0.98
    assert {clip.baseline for clip in clips} == {0.0}


def test_the_frames_are_drawn_pixel_by_pixel_on_one_gray_scale(picture, demo):
    clip = picture.clips_of(*demo)[2]
    figure = picture.draw(clip, rank=3, count=5, neurons=3, frame_rate_hz=30.0, simulated=True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., 0] / 255
    scale, height, width = picture.SCALE, *SIZE
    for row, movie in enumerate((clip.truth, clip.answer)):
        top = picture.TOP + row * (height * scale + picture.GAP)
        drawn = pixels[top : top + height * scale, picture.LEFT : picture.LEFT + width * scale]
        centres = drawn[scale // 2 :: scale, scale // 2 :: scale]
        away = np.ix_(range(1, height - 1), range(5, 11))  # from the line, which tints the pixels beside it
        np.testing.assert_allclose(centres[away], movie[picture.BURN_IN].numpy()[away], atol=2.5 / 255)


def test_it_says_that_the_animal_is_simulated(picture, demo):
    clip = picture.clips_of(*demo)[2]
    figure = picture.draw(clip, rank=3, count=5, neurons=3, frame_rate_hz=30.0, simulated=True)
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "SIMULATED" in texts
    assert "median of 5 test clips" in texts
    assert f"scores {clip.score:.2f}" in texts


def test_the_line_runs_between_pixels_inside_and_outside(picture):
    edges = picture._border(torch.tensor([[False, True], [False, False]]))
    assert sorted(edges) == [((0.5, -0.5), (0.5, 0.5)), ((0.5, -0.5), (1.5, -0.5)), ((0.5, 0.5), (1.5, 0.5)),
                             ((1.5, -0.5), (1.5, 0.5))]  # fmt: skip
