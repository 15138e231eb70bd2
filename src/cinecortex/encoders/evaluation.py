"""How good an encoder is, on trials that it was not fitted to; and how responses scatter around its rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder, ObservationModel
from cinecortex.encoders.fit import TrialClips, predictions
from cinecortex.encoders.shared_gain import measure_shared_gain, without_shared_gain
from cinecortex.metrics.calibration import Calibration, calibration
from cinecortex.metrics.oracle import average_correlation, explainable_variance, oracle, oracle_jackknife
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.metrics.responses import (
    BURN_IN,
    deviance_explained,
    fraction_of_ceiling,
    noise_ceiling,
    response_correlation,
)
from cinecortex.recording import Trial
from cinecortex.tensors import PerNeuron

Pair = tuple[Tensor, Tensor]
"""Rate and response of one trial; not named by shape, as trials differ in length."""


@dataclass(frozen=True, eq=False)
class RepeatScores:
    """What can be said only of clips that were shown more than once, ``neuron`` each.

    Attributes:
        average_correlation: Correlation of the mean rate with the mean response.
        oracle: Correlation of each presentation with the mean of the others.
        oracle_jackknife: The oracle of infinitely many presentations; None where a clip was shown only twice.
        explainable_variance: Share of the variance that repeats.
        ceiling: What the true rate would reach on a single trial. Gaze and arousal differ between repeats and count as
            noise here, so an encoder that is told of them can come closer to this ceiling than to the true one, and
            beyond it.
    """

    average_correlation: PerNeuron
    oracle: PerNeuron
    oracle_jackknife: PerNeuron | None
    explainable_variance: PerNeuron
    ceiling: PerNeuron


@dataclass(frozen=True, eq=False)
class EncoderScores:
    """How good an encoder is on some trials, without the frames of the burn-in (see `scored_frames`).

    Attributes:
        trials: How many trials were scored.
        correlation: Single-trial correlation of rate and response, all frames together, ``neuron``.
        clip_correlation: Single-trial correlation averaged over neurons, and over presentations, of each clip by its
            ``clip_id``; differences between clips do not count in it.
        clip_moments: Of each clip, in the same order, the sums over recorded frames of 1, rate, response, rate squared,
            response squared, and their product: what the correlation over any choice of clips rests on.
        deviance_explained: Share of the deviance of the mean training response, ``neuron``, or None where that is not
            known.
        calibration: Predicted against realised spread, or None without an observation model.
        repeats: Scores of the clips that were shown more than once, or None.
    """

    trials: int
    correlation: PerNeuron
    clip_correlation: dict[str, float]
    clip_moments: Float[Tensor, "clip moment neuron"]
    deviance_explained: PerNeuron | None = None
    calibration: Calibration | None = None
    repeats: RepeatScores | None = None

    @property
    def ceiling(self) -> PerNeuron | None:
        """The single-trial noise ceiling, or None without repeats."""
        return self.repeats.ceiling if self.repeats is not None else None

    def summary(self) -> dict[str, float | int | None]:
        """Means and medians over neurons; the fraction of the ceiling counts neurons whose ceiling is above 0.1."""
        found: dict[str, float | int | None] = {
            "trials": self.trials,
            "mean_correlation": float(self.correlation.nanmean()),
            "median_correlation": float(self.correlation.nanmedian()),
            "median_ceiling": float(self.ceiling.nanmedian()) if self.ceiling is not None else None,
            "mean_fraction_of_ceiling": None,
        }
        if self.deviance_explained is not None:
            found["median_deviance_explained"] = float(self.deviance_explained.nanmedian())
        if self.repeats is not None:
            fraction = fraction_of_ceiling(self.correlation, self.repeats.ceiling)
            found["mean_fraction_of_ceiling"] = float(fraction.nanmean())
            found["median_fraction_of_ceiling"] = float(fraction.nanmedian())
            found["mean_average_correlation"] = float(self.repeats.average_correlation.nanmean())
            found["mean_oracle"] = float(self.repeats.oracle.nanmean())
            if self.repeats.oracle_jackknife is not None:
                found["mean_oracle_jackknife"] = float(self.repeats.oracle_jackknife.nanmean())
            found["mean_explainable_variance"] = float(self.repeats.explainable_variance.nanmean())
        if self.calibration is not None:
            found["median_spread_ratio"] = float(self.calibration.spread_ratio.nanmedian())
            found["median_score_spread"] = float(self.calibration.score_spread.nanmedian())
            found["mean_coverage_of_90_percent"] = float(self.calibration.coverage.nanmean())
            found["median_block_ratio"] = float(self.calibration.block_ratio.nanmedian())
        return found

    def by_neuron(self) -> dict[str, list[float | None]]:
        """Every score of every neuron, rounded, None where it has none; what ``encoder.json`` keeps."""
        named: dict[str, PerNeuron | None] = {
            "correlation": self.correlation,
            "deviance_explained": self.deviance_explained,
        }
        for part in (self.repeats, self.calibration):
            if part is not None:
                named |= vars(part)
        return {name: rounded(values) for name, values in named.items() if values is not None}


def scored_frames(encoder: Encoder, frames: int) -> slice:
    """The frames of a trial that count: those after the first 50, as in Sensorium 2023, that are settled too.

    Of trials shorter than 100 frames, half are left out.
    """
    return slice(max(min(BURN_IN, frames // 2), encoder.settled(frames).start), frames)


def score_encoder(encoder: Encoder, trials: Sequence[Trial], *, mean: PerNeuron | None = None) -> EncoderScores:
    """Score an encoder on trials that have responses, with all that repeats tell where clips repeat among them.

    Args:
        encoder: The encoder.
        trials: What to score on; none of their clips should have been fitted to.
        mean: Mean response of the training trials, ``neuron``; what deviance is explained of.
    """
    shown: dict[str, list[Pair]] = {}
    for trial, pair in _scored(encoder, trials):
        shown.setdefault(trial.clip_id, []).append(pair)
    pairs = [pair for presented in shown.values() for pair in presented]
    rates, responses = [rate for rate, _ in pairs], [response for _, response in pairs]
    return EncoderScores(
        trials=len(trials),
        correlation=response_correlation(rates, responses, burn_in=0),
        clip_correlation={clip: _clip_score(presented) for clip, presented in shown.items()},
        clip_moments=torch.stack([_moments(presented) for presented in shown.values()]),
        deviance_explained=deviance_explained(rates, responses, mean, burn_in=0) if mean is not None else None,
        calibration=_calibration(pairs, encoder.observation_model),
        repeats=_repeat_scores([presented for presented in shown.values() if len(presented) > 1]),
    )


def _calibration(pairs: Sequence[Pair], model: ObservationModel | None) -> Calibration | None:
    """Of each neuron's own noise: what the model says is shared is taken out first, as it was when it was measured."""
    if model is None:
        return None
    if model.shared_gain is not None:
        pairs = without_shared_gain(pairs, model.shared_gain, model.dispersion)
    rates, responses = [rate for rate, _ in pairs], [response for _, response in pairs]
    return calibration(rates, responses, model.dispersion, model.correlation_time, burn_in=0)


def _scored(encoder: Encoder, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Pair]]:
    encoder.eval()
    for trial, (movie, behavior, response) in zip(trials, TrialClips(trials), strict=True):
        with torch.no_grad():
            rate = encoder(movie[None].to(encoder.device), behavior[None].to(encoder.device))[0].cpu()
        kept = scored_frames(encoder, len(movie))
        yield trial, (rate[kept], response[kept])


def _clip_score(presented: Sequence[Pair]) -> float:
    scores = [float(response_correlation(rate, response, burn_in=0).nanmean()) for rate, response in presented]
    return sum(scores) / len(scores)


def _moments(presented: Sequence[Pair]) -> Float[Tensor, "moment neuron"]:
    rate, response = (torch.cat(side).double() for side in zip(*presented, strict=True))
    known = ~response.isnan()
    r, y = (torch.where(known, side, 0.0) for side in (rate, response))
    return torch.stack([known.double(), r, y, r * r, y * y, r * y]).sum(1)


def _repeat_scores(clips: Sequence[Sequence[Pair]]) -> RepeatScores | None:
    if not clips:
        return None
    frames = [min(len(rate) for rate, _ in presented) for presented in clips]
    rates = [torch.stack([r[:n] for r, _ in presented]) for presented, n in zip(clips, frames, strict=True)]
    repeats = [torch.stack([y[:n] for _, y in presented]) for presented, n in zip(clips, frames, strict=True)]
    fewest = min(map(len, repeats))
    return RepeatScores(
        average_correlation=average_correlation(rates, repeats),
        oracle=oracle(repeats),
        oracle_jackknife=oracle_jackknife(repeats) if fewest > 2 else None,
        explainable_variance=explainable_variance(repeats),
        ceiling=noise_ceiling(torch.cat([clip[:fewest] for clip in repeats], 1)),
    )


def measure_observation_model(
    encoder: Encoder, held_out: Sequence[Trial], fitted: Sequence[Trial] = ()
) -> ObservationModel:
    """Dispersion, correlation time and shared gain of the residuals on clips that were not fitted to.

    Args:
        encoder: The fitted encoder.
        held_out: Trials of clips that were not fitted to.
        fitted: Trials that were fitted to, in which the directions of shared gains are looked for (in about 60 of
            them); without any no shared gain is measured.
    """
    return observation_model_of(list(predictions(encoder, held_out)), shown_of(encoder, fitted))


def shown_of(encoder: Encoder, fitted: Sequence[Trial]) -> list[Pair]:
    """Rates and responses of about 60 trials, evenly among those given: enough to find what neurons share."""
    return list(predictions(encoder, fitted[:: max(1, len(fitted) // 60)]))


def observation_model_of(held_out: Sequence[Pair], fitted: Sequence[Pair] = ()) -> ObservationModel:
    """The same from rates and responses, ``time neuron`` each.

    A few clips of a quiet neuron measure neither dispersion nor correlation time well. Both are drawn towards their
    median over the population, with the weight of as many responses as one clip holds at the median rate, so that no
    neuron is believed without limit.
    """
    evidence = torch.cat([response for _, response in held_out]).nan_to_num().sum(0).double()
    weight = evidence / (evidence + evidence.median().clamp_min(1e-9) / len(held_out))

    def shrunk(measured: Tensor) -> Tensor:
        typical = measured.nanmedian()
        known = torch.where(torch.isfinite(measured), measured, typical)
        return (weight * known.log() + (1 - weight) * typical.log()).exp().float()

    def spread(pairs: Sequence[Pair]) -> tuple[PerNeuron, PerNeuron]:
        rates, responses = [rate for rate, _ in pairs], [response for _, response in pairs]
        return (
            shrunk(dispersion(rates, responses, burn_in=0).clamp_min(1e-3)),
            shrunk(correlation_time(rates, responses, burn_in=0).clamp_min(1.0)),
        )

    scatter, lasting = spread(held_out)
    shared = measure_shared_gain(fitted, held_out, scatter, lasting)
    if shared is not None:
        scatter, lasting = spread(without_shared_gain(held_out, shared, scatter))
    return ObservationModel(scatter, lasting, shared)


def mean_response(trials: Sequence[Trial]) -> PerNeuron:
    """Mean of the recorded responses of each neuron: what a model that knows nothing of the movie would say."""
    total: Any = 0.0
    count: Any = 0
    for trial in trials:
        response = trial.response
        if response is not None:
            total = total + response.double().nansum(0)
            count = count + (~response.isnan()).sum(0)
    mean: Tensor = total / torch.as_tensor(count).clamp(min=1)
    return mean.float()


def shown_repeatedly(trials: Sequence[Trial]) -> list[Trial]:
    """The trials with a response whose clip was shown more than once among them."""
    shown: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.response is not None:
            shown.setdefault(trial.clip_id, []).append(trial)
    return [trial for group in shown.values() if len(group) > 1 for trial in group]


def rounded(values: Tensor) -> list[float | None]:
    """Numbers for JSON, with four digits behind the point; None for what is not a number."""
    return [None if value != value else round(value, 4) for value in values.tolist()]
