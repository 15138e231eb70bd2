"""What an encoder expects the neurons to do when it is shown a movie, held against what they did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.errors import BadData
from cinecortex.finding import Finding
from cinecortex.metrics.correlation import standardised
from cinecortex.metrics.hierarchical_bootstrap import hierarchical_bootstrap
from cinecortex.metrics.responses import response_correlation
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Heard, Movie, Response
from cinecortex.validation.verdicts import independent_units


def expected(encoder: Encoder, movie: Movie, behavior: Behavior) -> Response:
    """The rate on every frame of a movie."""
    with torch.no_grad():
        rates: Tensor = encoder(
            movie[None].to(encoder.device, encoder.dtype), behavior[None].to(encoder.device, encoder.dtype)
        )
    return rates[0].cpu()


ROUNDING = 1e-5
"""A rate that varies by less, relative to its size, does so because numbers are rounded."""


def gray(movie: Movie) -> Movie:
    """A uniform movie of the same size and mean luminance: what an encoder makes of behavior alone."""
    return torch.full_like(movie, float(movie.mean()))


def response_score(
    encoder: Encoder, trial: Trial, movie: Movie, neurons: Heard | None = None, *, apart: bool = False
) -> float:
    """Mean over neurons of the correlation over time of rate and response, on the settled frames of a trial.

    Args:
        encoder: Is shown the movie with the behavior of the trial.
        trial: Whose response it is held against.
        movie: What the encoder is shown, as long as the trial.
        neurons: Which neurons count; None counts all.
        apart: Take out of rates and responses what all counted neurons do together. Arousal, attention and drift
            move all of them, whatever was shown.

    Returns:
        In [-1, 1]; a rate that does not vary counts 0. NaN where no counted neuron varied.

    Raises:
        BadData: the trial has no response.
    """
    response = trial.response
    if response is None:
        raise BadData(f"trial {trial.trial_id} of session {trial.session_id} has no recorded response to predict.")
    settled, counted = encoder.settled(len(movie)), slice(None) if neurons is None else neurons
    rate = expected(encoder, movie, trial.behavior)[settled, counted].to(response.dtype)
    varies = rate.amax(0) - rate.amin(0) > ROUNDING * rate.abs().amax(0)
    rate, response = torch.where(varies, rate, torch.zeros_like(rate)), response[settled, counted]
    if apart:
        rate, response = _apart(rate, response)
    return float(response_correlation(rate, response, burn_in=0).nanmean())


def share_of_true(made: Sequence[float], true: Sequence[float], uniform: Sequence[float]) -> float | None:
    """Of what rates from the true movies score over those from uniform ones, how much rates from others do.

    Args:
        made: One score per clip; NaN where there was nothing to predict.
        true: The same from the true movie.
        uniform: The same from a uniform movie.

    Returns:
        Over all clips together; None where the true movies score no more than uniform ones.
    """
    rows = [row for row in zip(made, true, uniform, strict=True) if not any(map(math.isnan, row))]
    attainable = sum(right - floor for _, right, floor in rows)
    return sum(guess - floor for guess, _, floor in rows) / attainable if attainable > 0 else None


def least_gains(
    made: Sequence[float],
    true: Sequence[float],
    uniform: Sequence[float],
    controls: Sequence[Sequence[float]],
    *,
    share: float,
) -> list[float]:
    """What a reconstruction gains over the better control, bounded by what the true movie does; one per clip.

    Which control is the better one, and whether the bound holds, is decided by the means over clips. Clip by clip the
    larger of two noisy controls, and the smaller of two noisy scores, would be biased against the reconstruction.

    Args:
        made: Scores of the reconstructions, one per clip; NaN where there was nothing to predict.
        true: Scores of the true movies.
        uniform: Scores of uniform movies.
        controls: Scores of each control.
        share: Which part of what the true movie gains over a uniform one is taken off: the least worth claiming.
    """
    least = [share * (right - floor) for right, floor in zip(true, uniform, strict=True)]
    arms = [
        [score - other - worth for score, other, worth in zip(scores, control, least, strict=True)]
        for scores in (made, true)
        for control in controls
    ]
    return min(arms, key=_mean)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.inf


def excused(
    finding: Finding, trials: Sequence[Trial], true: Sequence[float], uniform: Sequence[float], *, seed: Seed
) -> Finding:
    """The finding, undecided rather than refuted where the encoder does not know the responses itself.

    An encoder that predicts no more from the true movie than from a uniform one cannot tell whether a reconstruction is
    right. It never turns a finding into a supported one.

    Args:
        finding: What was found.
        trials: The trials that were judged.
        true: Scores from the true movies, one per trial.
        uniform: Scores from uniform movies.
        seed: Stream for the interval of their difference.
    """
    gains = [right - floor for right, floor in zip(true, uniform, strict=True)]
    known = hierarchical_bootstrap(independent_units(trials, gains).sessions, seed=seed / "true movie")
    if finding.verdict != "refuted" or known.low > 0:
        return finding
    note = "The encoder is not known to predict the responses from the true movie, so nothing is refuted by it."
    return replace(finding, verdict="undecided", notes=f"{note} {finding.notes}")


def _apart(rate: Response, response: Response) -> tuple[Response, Response]:
    """Both in units of each neuron's spread, without the mean over neurons of every frame."""
    recorded = ~response.isnan()
    _, varies = standardised(response, recorded)
    counted = recorded & varies
    number = counted.sum(1, keepdim=True).clamp(min=1)
    sides = (standardised(side, counted)[0] for side in (rate, response))
    guess, truth = (side - side.sum(1, keepdim=True) / number for side in sides)
    return guess.to(rate.dtype), truth.masked_fill(~counted, torch.nan).to(response.dtype)
