"""What repeats of a clip say about a neuron, without any encoder: the oracles and the explainable variance.

The oracle predicts one presentation from the others of the same clip. It knows the movie's effect and nothing of the
trial's noise, so an encoder is held against it (Walker et al. 2019, Nat Neurosci 22:2060; Sensorium 2023).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.metrics.correlation import correlate
from cinecortex.metrics.responses import response_correlation
from cinecortex.tensors import PerNeuron

AnyRepeats = Float[Tensor, "_ _ _"]
RepeatedClips = AnyRepeats | Sequence[AnyRepeats]
"""Presentations of one clip, or of several clips each with a number of presentations and a length of its own."""


def oracle(repeats: RepeatedClips) -> PerNeuron:
    """Correlation of each presentation with the mean of the others, over all frames and presentations together.

    The leave-one-out oracle. Toolkits of the field call it ``jackknife`` for its leaving out. The mean of a few
    presentations is itself noisy, so it lies below the noise ceiling: with signal power S and noise power N it is
    expected at ``S / sqrt((S + N) (S + N / (R - 1)))``.

    Args:
        repeats: At least two presentations of every clip, without the frames that the score leaves out. A frame that
            some presentation lacks is left out of all.

    Returns:
        In [-1, 1]; NaN for a silent neuron.

    Raises:
        WrongUse: fewer than two presentations of a clip.
    """
    clips = [_checked(clip, least=2) for clip in _listed(repeats)]
    guesses = [(clip.sum(0) - clip) / (len(clip) - 1) for clip, _ in clips]
    return _over_everything(guesses, clips, _listed(repeats)[0].dtype)


def oracle_jackknife(repeats: RepeatedClips) -> PerNeuron:
    """The oracle of infinitely many presentations, by Quenouille's jackknife over presentations.

    ``R O(R) - (R - 1) mean of O(R - 1)``, where O(R) is `oracle` of all presentations and O(R - 1) that of all but one.
    It removes the part of the shortfall that falls as 1/R, and is noisier than `oracle`.

    Args:
        repeats: As for `oracle`, but at least three presentations of every clip; of clips shown unequally often the
            first presentations are used.

    Returns:
        At most 1 in expectation; NaN for a silent neuron.

    Raises:
        WrongUse: fewer than three presentations of a clip.

    Source: Quenouille 1956, Biometrika 43:353.
    """
    checked = [_checked(clip, least=3) for clip in _listed(repeats)]
    number = min(len(clip) for clip, _ in checked)
    # A frame that one presentation lacks is left out also where that presentation is.
    equal = [clip[:number].masked_fill(~recorded, torch.nan) for clip, recorded in checked]
    others = [[i for i in range(number) if i != left_out] for left_out in range(number)]
    without = torch.stack([oracle([clip[keep] for clip in equal]) for keep in others])
    whole = oracle(equal)
    return (number * whole - (number - 1) * without.mean(0)).to(_listed(repeats)[0].dtype)


def explainable_variance(repeats: RepeatedClips) -> PerNeuron:
    """Share of a neuron's variance that repeats with the movie: ``(total - noise) / total``.

    Total is the variance over all frames, presentations and clips; noise the variance over presentations of the same
    frame, averaged over frames. Noise may be correlated in time. The estimate can be negative by chance and is not
    clipped, so that its mean over neurons is unbiased.

    Args:
        repeats: As for `oracle`.

    Returns:
        At most 1; NaN for a silent neuron.

    Raises:
        WrongUse: fewer than two presentations of a clip.

    Source: Cadena et al. 2019, PLoS Comput Biol 15:e1006897.
    """
    clips = [_checked(clip, least=2) for clip in _listed(repeats)]
    total = torch.zeros_like(clips[0][0][0, 0])
    squares, count, frames, noise = total.clone(), total.clone(), total.clone(), total.clone()
    for clip, recorded in clips:
        total = total + clip.sum((0, 1))
        count = count + len(clip) * recorded.sum(0)
        frames = frames + recorded.sum(0)
        noise = noise + (clip.var(0) * recorded).sum(0)
    mean = total / count.clamp(min=1)
    for clip, recorded in clips:
        squares = squares + (torch.where(recorded, clip - mean, 0.0).square()).sum((0, 1))
    variance = squares / (count - 1).clamp(min=1)
    share = 1 - (noise / frames.clamp(min=1)) / variance.masked_fill(variance == 0, torch.nan)
    return share.to(_listed(repeats)[0].dtype)


def average_correlation(rates: RepeatedClips, repeats: RepeatedClips) -> PerNeuron:
    """Correlation of the mean rate with the mean response, each over the presentations of a clip, clips joined.

    The "correlation to average" of Sensorium 2023. Rates differ between presentations where the encoder is told the
    behavior.

    Args:
        rates: What the encoder expects on every presentation, ``repeat time neuron`` of each clip.
        repeats: What was recorded, in the same form.

    Returns:
        In [-1, 1]; 0 where the rate does not vary, NaN where the response does not.

    Raises:
        WrongUse: sizes disagree, or fewer than two presentations of a clip.
    """
    clips, guesses = _listed(repeats), _listed(rates)
    for clip in clips:
        _checked(clip, least=2)
    return response_correlation([guess.mean(0) for guess in guesses], [clip.mean(0) for clip in clips], burn_in=0)


def _listed(repeats: RepeatedClips) -> list[AnyRepeats]:
    return [repeats] if isinstance(repeats, Tensor) else list(repeats)


def _checked(clip: AnyRepeats, *, least: int) -> tuple[AnyRepeats, Bool[Tensor, "_ _"]]:
    """Values with 0 where some presentation was not recorded, and where all were."""
    if len(clip) < least:
        raise WrongUse(f"an oracle needs at least {least} presentations of the same clip here, not {len(clip)}.")
    recorded = ~clip.isnan().any(0)
    return torch.where(recorded, clip.double(), 0.0), recorded


def _over_everything(
    guesses: list[AnyRepeats], clips: list[tuple[AnyRepeats, Bool[Tensor, "_ _"]]], dtype: torch.dtype
) -> PerNeuron:
    guess = torch.cat([clip.flatten(0, 1) for clip in guesses])
    truth = torch.cat([clip.flatten(0, 1) for clip, _ in clips])
    counted = torch.cat([recorded.expand_as(clip).flatten(0, 1) for clip, recorded in clips])
    return correlate(guess, truth, counted).to(dtype)
