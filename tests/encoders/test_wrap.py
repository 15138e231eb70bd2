from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from tests.in_memory import InMemory
from torch import nn
from torch.nn import functional

from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.wrap import Wrapped, as_channels, beside, wrap
from cinecortex.errors import WrongUse
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Spectral
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.noise import gaussian_noise
from cinecortex.stimuli.spectrum import measure_movies

SIZE, NEURONS, LAGS, FRAMES = (6, 8), 12, 3, 24
PAGE = Path(__file__).parents[2] / "docs" / "bring-your-own.md"


def filters() -> torch.Tensor:
    return torch.randn(NEURONS, LAGS, *SIZE, generator=torch.Generator().manual_seed(0))


class Convolution(nn.Module):
    """The linear-nonlinear encoder written as anybody would: one convolution over the whole frame."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(filters().flip(1)[:, None])
        self.offset = nn.Parameter(torch.ones(NEURONS))

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        """Pixels from -127.5 to 127.5, ``batch channel time height width``."""
        padded = functional.pad(stack[:, :1] / 255, (0, 0, 0, 0, LAGS - 1, 0))
        return functional.softplus(functional.conv3d(padded, self.weight, self.offset)[..., 0, 0].transpose(1, 2))


def wrapped(**options) -> Wrapped:
    chosen = {"neurons": NEURONS, "frame_size": SIZE, "memory": LAGS, "causal": True, "layout": as_channels}
    return wrap(Convolution(), **{**chosen, "luminance": (-127.5, 127.5), **options})


def movies(batch: int = 2, frames: int = FRAMES) -> torch.Tensor:
    return torch.rand(batch, frames, *SIZE, generator=torch.Generator().manual_seed(4))


def still(batch: int = 2, channels: int = 0) -> torch.Tensor:
    return torch.zeros(batch, FRAMES, channels)


def test_a_wrapped_network_is_the_encoder_it_computes():
    reference, encoder = LinearNonlinear(filters(), torch.ones(NEURONS)), wrapped()
    torch.testing.assert_close(encoder(movies(), still()), reference(movies(), still()), rtol=1e-4, atol=1e-4)
    assert (encoder.neurons, encoder.frame_size, encoder.memory, encoder.frame_rate_hz) == (NEURONS, SIZE, LAGS, 30.0)
    assert (encoder.kind, encoder.causal, encoder.dtype, encoder.device.type) == ("wrapped", True, torch.float32, "cpu")
    assert encoder.behavior_at_rest.shape == (0,)
    assert not encoder.training
    assert not encoder.module.training
    assert "Convolution: 12 neurons, 6x8 px at 30 Hz, memory 3 frames, causal" in repr(encoder)
    assert encoder.settings["module"] == "Convolution"


def test_map_through_a_wrapped_network_is_map_through_the_encoder_itself():
    reference, encoder = LinearNonlinear(filters(), torch.ones(NEURONS)), wrapped()
    clips = [gaussian_noise(Seed(8) / n, frames=FRAMES, frame_size=SIZE) for n in range(4)]
    prior = Spectral.of(measure_movies(clips))
    truth = clips[0]
    rate = reference(truth[None], still(1))[0].detach()
    observation = Observation(
        response=torch.poisson(rate, generator=torch.Generator().manual_seed(1)),
        behavior=torch.zeros(FRAMES, 0),
        behavior_channels=(),
        frame_rate_hz=30.0,
        frame_size=SIZE,
        heard=torch.ones(NEURONS, dtype=torch.bool),
    )
    answers = [
        MAP(encoder=one, likelihood=Poisson(torch.ones(NEURONS)), prior=prior, evaluations=40)(observation, Seed(2))
        for one in (reference, encoder)
    ]
    torch.testing.assert_close(answers[1].movie, answers[0].movie, atol=1e-3, rtol=0)
    correlation = torch.corrcoef(torch.stack([answers[1].movie.flatten(), truth.flatten()]))[0, 1]
    assert float(correlation) > 0.5


def test_behavior_reaches_the_network_by_either_layout():
    class Beside(nn.Module):
        def forward(self, movies, behaviors):
            return movies.mean((2, 3))[..., None] + behaviors.sum(2, keepdim=True)

    class Channels(nn.Module):
        def forward(self, stack):
            return (stack[:, 0].mean((2, 3)) + stack[:, 1:].mean((3, 4)).sum(1))[..., None]

    behaviors = torch.rand(2, FRAMES, 2)
    expected = (movies().mean((2, 3)) + behaviors.sum(2))[..., None]
    for module, layout in ((Beside(), beside), (Channels(), as_channels)):
        encoder = wrap(
            module,
            neurons=1,
            frame_size=SIZE,
            memory=1,
            behavior_channels=["pupil dilation", "gaze x"],
            behavior_at_rest=[30.0, 1.0],
            layout=layout,
        )
        torch.testing.assert_close(encoder(movies(), behaviors), expected)
        torch.testing.assert_close(encoder.behavior_at_rest, torch.tensor([30.0, 1.0]))
        with pytest.raises(
            WrongUse, match=r"wrapped for 2 behavior channels \(pupil dilation, gaze x\), but is given 4"
        ):
            encoder(movies(), still(channels=4))


def test_it_follows_the_number_format_of_its_module():
    encoder = wrapped().double()
    assert encoder.dtype == torch.float64
    assert encoder(movies().double(), still().double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"behavior_channels": ("a", "b"), "behavior_at_rest": (1.0,)}, "1 numbers for 2 behavior channels"),
        ({"neurons": 0}, "not neurons=0"),
        ({"memory": 0}, "memory=0"),
        ({"frame_rate_hz": 0.0}, "frame_rate_hz=0"),
        ({"luminance": (0.0, 0.0)}, "makes black and white alike"),
        ({"frame_size": (6, 7)}, "cannot be called on movies of"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(options, sentence):
    with pytest.raises(WrongUse, match=sentence):
        wrapped(**options)


def test_the_code_on_the_page_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 7
    # The same code at a size for tests.
    code = "\n".join(blocks).replace("(36, 64)", "(6, 8)").replace("neurons=50", "neurons=4")
    world: dict = {"__name__": "page"}
    exec(compile(code, str(PAGE), "exec"), world)
    printed = capsys.readouterr().out
    (promised,) = re.findall(r"```\n(Rates depend.*?)\n```", PAGE.read_text(encoding="utf-8"), re.S)
    assert promised in printed
    assert "Physiology(4 neurons" in printed
    encoder = world["encoder"]
    trials = [page_trial(encoder, number) for number in range(4)]
    invert = world["equip"](encoder, trials[:3], trials[3:])
    invert.evaluations = 5
    assert invert(trials[3].observe(), Seed(0)).movie.shape == (40, 6, 8)


class Watched(InMemory):
    def behavior(self):
        return torch.zeros(len(self.shown), 2)


def page_trial(encoder: Wrapped, number: int) -> Trial:
    movie = gaussian_noise(Seed(5) / number, frames=40, frame_size=(6, 8))
    rate = encoder(movie[None], torch.zeros(1, 40, 2))[0].detach()
    response = torch.poisson(rate, generator=torch.Generator().manual_seed(number))
    channels = ("pupil dilation", "running speed")
    return Trial(str(number), "page", "train", 30.0, (6, 8), channels, Watched(movie, response))
