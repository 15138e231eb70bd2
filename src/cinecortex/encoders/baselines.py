"""How good a fitted model is on some trials, beside the simplest things that could be said about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.stats
import torch
from torch import Tensor

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.evaluation import EncoderScores, mean_response, score_encoder
from cinecortex.encoders.fit import FitSettings, fit_population
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.train import default_settings, session_facts
from cinecortex.metrics.bootstrap import Interval, paired_difference
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed


def evaluate(
    model: Model,
    recording: Recording,
    trials: Sequence[Trial],
    *,
    baselines: bool = False,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """How good an encoder is on some trials, as values that JSON can hold (but for NaN).

    Args:
        model: Fitted to the recording's session, or imported.
        recording: Where the trials are from.
        trials: What to score on.
        baselines: Whether to fit the linear-nonlinear encoder to the very trials that the model was fitted to, and to
            compare the two clip by clip.
        seed: Root of the baseline's fit and of the bootstrap.

    Returns:
        The summary of the scores, ``by_neuron``, the trials, of how many of them the model has seen the clip, and where
        asked for ``baselines``. Of the mean training response correlation and deviance explained are 0 by definition.

    Raises:
        BadData: the model was not fitted to the session, or, with ``baselines``, does not say on what.
    """
    encoder = model.session(recording.session_id)
    told = [facts for facts in model.facts.get("fitted", ()) if facts["session_id"] == recording.session_id]
    mean = torch.tensor(told[0]["mean_response"]) if told and "mean_response" in told[0] else None
    seen = {clip for facts in model.facts.get("fitted", ()) for role in facts["clips"].values() for clip in role}
    scored = score_encoder(encoder, trials, mean=mean)
    found: dict[str, Any] = {
        **scored.summary(),
        "by_neuron": scored.by_neuron(),
        "trial_ids": [trial.trial_id for trial in trials],
        "trials_of_seen_clips": sum(trial.clip_id in seen for trial in trials),
    }
    if baselines:
        roles = session_facts(model, recording.session_id)["trials"]
        train, select = ([recording.trial(trial_id) for trial_id in roles[role]] for role in ("train", "select"))
        simple = fit_baseline(recording, train, select, seed=seed / "baseline")
        baseline = score_encoder(simple, trials, mean=mean_response(train))
        found["baselines"] = {
            "mean response": {"mean_correlation": 0.0, "median_deviance_explained": 0.0},
            "linear-nonlinear": baseline.summary(),
            "encoder less linear-nonlinear": asdict(difference(scored, baseline, seed=seed / "bootstrap")),
            "the same within clips": asdict(difference_within_clips(scored, baseline, seed=seed / "bootstrap")),
        }
    return found


def fit_baseline(recording: Recording, train: Sequence[Trial], select: Sequence[Trial], *, seed: Seed) -> Encoder:
    """The linear-nonlinear encoder, fitted to these trials and selected on those."""
    architecture = LinearNonlinearSettings()
    encoder = architecture.build(recording, train)
    settings = default_settings(architecture)
    if isinstance(settings, FitSettings):
        fit_population(encoder, train, select, settings=settings, seed=seed)
    return encoder.eval()


def difference(a: EncoderScores, b: EncoderScores, *, seed: Seed, level: float = 0.95, draws: int = 1000) -> Interval:
    """Mean over neurons of the single-trial correlation of ``a`` less that of ``b``, all frames together.

    The interval is the percentile interval of the same difference over clips drawn with replacement, its levels widened
    for few clips as in `metrics.bootstrap`.

    Args:
        a: Scores on some trials.
        b: Scores on the same trials.
        seed: Stream for the drawing.
        level: Coverage of the interval.
        draws: How many times clips are drawn.
    """
    clips = len(a.clip_moments)
    if clips < 2:
        return Interval(_difference(a, b, torch.ones(clips)), math.nan, math.nan, level, clips)
    taken = torch.from_numpy(seed.numpy().multinomial(clips, np.full(clips, 1 / clips), size=draws)).double()
    drawn = [_difference(a, b, times) for times in taken]
    widened = scipy.stats.norm.cdf(np.sqrt(clips / (clips - 1)) * scipy.stats.t.ppf((1 - level) / 2, clips - 1))
    low, high = np.nanquantile(drawn, [widened, 1 - widened])
    return Interval(_difference(a, b, torch.ones(clips)), float(low), float(high), level, clips)


def _difference(a: EncoderScores, b: EncoderScores, times: Tensor) -> float:
    """Of the mean correlations, each clip counted so many times."""
    means = []
    for scores in (a, b):
        count, r, y, rr, yy, ry = torch.einsum("c,cmn->mn", times.double(), scores.clip_moments)
        covariance, rate, response = count * ry - r * y, count * rr - r * r, count * yy - y * y
        varies = (rate > 1e-12 * count * rr) & (response > 1e-12 * count * yy)
        correlation = torch.where(varies, covariance / (rate * response).clamp_min(1e-300).sqrt(), 0.0)
        means.append(correlation.masked_fill(response <= 1e-12 * count * yy, torch.nan).nanmean())
    return float(means[0] - means[1])


def difference_within_clips(a: EncoderScores, b: EncoderScores, *, seed: Seed) -> Interval:
    """Mean over clips of the correlation within the clip of ``a`` less that of ``b``, with its interval over clips."""
    clips = list(a.clip_correlation)
    return paired_difference([a.clip_correlation[c] for c in clips], [b.clip_correlation[c] for c in clips], seed=seed)


def with_evaluation(model: Model, session_id: str, found: Mapping[str, Any]) -> Model:
    """The model with this evaluation among its facts, in place of an earlier one of the same session."""
    kept = {**model.facts.get("evaluated", {}), session_id: dict(found)}
    return Model(model.sessions, {**model.facts, "evaluated": kept})
