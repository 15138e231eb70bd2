"""From recordings to a fitted model: split by clip, start, descend, and measure what is left unexplained."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cinecortex.data import Split, split
from cinecortex.encoders import compact_start
from cinecortex.encoders.base import Encoder, ObservationModel
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.fit import FitSettings, Fitted, TrialClips, correlations, fit_population, predictions
from cinecortex.encoders.shared_gain import measure_shared_gain, without_shared_gain
from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.residuals import correlation_time, dispersion
from cinecortex.metrics.responses import fraction_of_ceiling, noise_ceiling
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import measure_movies

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Compact:
    """The compact encoder, before it knows a recording.

    Attributes:
        filter_frames: Length of the temporal filters.
        bumps: Raised-cosine bumps that make up a temporal filter.
        pairs: Pairs of spatial filters per neuron.
        coarse: How many times coarser than the movie the filters are; None for 2 where the frame has more than 24 rows
            and columns, else 1.
        blur_px: Smoothness of the spatial filters; None for 0.4 pixels of the filter's own grid, and none on small
            frames, where a receptive field may be a single pixel.
    """

    filter_frames: int = 16
    bumps: int = 7
    pairs: int = 1
    coarse: int | None = None
    blur_px: float | None = None

    def build(self, recording: Recording, train: Sequence[Trial]) -> CompactEncoder:
        """An encoder for this population, started in closed form from the training trials."""
        large = min(recording.frame_size) > 24
        coarse = self.coarse if self.coarse is not None else (2 if large else 1)
        encoder = CompactEncoder(
            neurons=len(recording.neurons),
            frame_size=recording.frame_size,
            frame_rate_hz=recording.frame_rate_hz,
            behavior_channels=recording.behavior_channels,
            filter_frames=self.filter_frames,
            bumps=self.bumps,
            pairs=self.pairs,
            coarse=coarse,
            blur_px=self.blur_px if self.blur_px is not None else (0.4 * coarse if large else 0.0),
        )
        mean, std = _behavior_moments(train)
        encoder.behavior_mean.copy_(mean)
        encoder.behavior_std.copy_(std)
        compact_start.start(encoder, TrialClips(train))
        return encoder


def fit_model(
    recordings: Sequence[Recording],
    architecture: Compact = Compact(),
    *,
    settings: FitSettings = FitSettings(),  # noqa: B008 - frozen
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    folds: int = 8,
    select_fold: int = 0,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Fit encoders to one or several sessions that are split by clip together.

    Trials of tier ``train`` are fitted to, except one fold of them (by clip, near-copies included) on which early
    stopping and the observation model rest. No trial of any other tier is looked at until the scores are made.

    Args:
        recordings: The sessions.
        architecture: What to fit.
        settings: How to descend.
        seed: Root of every random stream.
        folds: How many folds the training clips are dealt into.
        select_fold: Which of them is set aside to select on.
        state: Folder for the state of an unfinished fit; what an earlier fit left there is deleted.
        resume: Go on from ``state`` instead; the fit must be the very same.
        progress: Told after every epoch.

    Raises:
        BadData: there is nothing to fit to.
        WrongUse: there are fewer distinct clips than folds, or ``state`` was left by another fit.
    """
    roles = split(recordings, seed=seed / "split", folds=folds, select_fold=select_fold)
    parts = {recording.session_id: _of_session(roles, recording.session_id) for recording in recordings}
    for recording in recordings:
        if not parts[recording.session_id].train or not parts[recording.session_id].select:
            raise BadData(f"{recording.source} has too few training clips of its own to fit to and to select on.")
    states = {
        recording.session_id: _state_folder(state, recording, parts[recording.session_id], architecture, settings, seed)
        for recording in recordings
    }
    if state is not None and state.exists():
        if not resume:
            shutil.rmtree(state)
        elif not any(folder is not None and folder.exists() for folder in states.values()):
            raise WrongUse(
                f"{state} was left by a fit of other recordings, settings or another seed; repeat those to go on with "
                "it, or leave out --resume to begin anew."
            )
    sessions, facts = dict[str, Encoder](), []
    for recording in recordings:
        own = parts[recording.session_id]
        encoder, fitted = _fit_session(
            recording,
            own,
            architecture,
            settings,
            seed / recording.session_id,
            states[recording.session_id],
            resume,
            progress,
        )
        sessions[recording.session_id] = encoder
        facts.append(_facts(recording, own, encoder, fitted))
    return Model(
        sessions,
        {
            "kind": CompactEncoder.kind,
            "architecture": asdict(architecture),
            "fit": asdict(settings),
            "seed": seed.root,
            "folds": folds,
            "select_fold": select_fold,
            "fitted": facts,
        },
    )


def fit(recording: Recording, architecture: Compact = Compact(), **options: Any) -> Encoder:
    """Fit an encoder to one session; the options are those of `fit_model`."""
    return fit_model([recording], architecture, **options).session(recording.session_id)


def _of_session(roles: Split, session_id: str) -> Split:
    def own(trials: Sequence[Trial]) -> tuple[Trial, ...]:
        return tuple(trial for trial in trials if trial.session_id == session_id)

    dropped = tuple(drop for drop in roles.dropped if drop.trial.session_id == session_id)
    return Split(own(roles.train), own(roles.select), own(roles.test), dropped)


def _state_folder(
    state: Path | None, recording: Recording, own: Split, architecture: Compact, settings: FitSettings, seed: Seed
) -> Path | None:
    """Where the state of one session's fit lies: under a name that only the very same fit has."""
    if state is None:
        return None
    trials = [[trial.trial_id for trial in role] for role in (own.train, own.select)]
    plan = recording.fingerprint, asdict(architecture), asdict(settings), repr(seed), trials
    return state / hashlib.blake2b(json.dumps(plan).encode(), digest_size=16).hexdigest()


def _fit_session(
    recording: Recording,
    own: Split,
    architecture: Compact,
    settings: FitSettings,
    seed: Seed,
    state: Path | None,
    resume: bool,
    progress: Progress | None,
) -> tuple[Encoder, Fitted]:
    encoder = architecture.build(recording, own.train)
    fitted = fit_population(
        encoder,
        own.train,
        own.select,
        settings=settings,
        seed=seed,
        state=state,
        resume=resume,
        progress=progress,
    )
    encoder.eval()
    encoder.movie_statistics = measure_movies(trial.movie for trial in own.train)
    encoder.observation_model = measure_observation_model(encoder, own.select, own.train)
    return encoder, fitted


def measure_observation_model(
    encoder: Encoder, held_out: Sequence[Trial], fitted: Sequence[Trial] = ()
) -> ObservationModel:
    """Dispersion, correlation time and shared gain of the residuals on clips that were not fitted to.

    A few clips of a quiet neuron measure neither dispersion nor correlation time well. Both are drawn towards their
    median over the population, with the weight of as many responses as one clip holds at the median rate, so that no
    neuron is believed without limit.

    Args:
        encoder: The fitted encoder.
        held_out: Trials of clips that were not fitted to.
        fitted: Trials that were fitted to, in which the directions of shared gains are looked for (in at most 60 of
            them); without any no shared gain is measured.
    """
    pairs = list(predictions(encoder, held_out))
    evidence = torch.cat([response for _, response in pairs]).nan_to_num().sum(0).double()
    weight = evidence / (evidence + evidence.median().clamp_min(1e-9) / len(pairs))

    def shrunk(measured: Tensor) -> Tensor:
        typical = measured.nanmedian()
        known = torch.where(torch.isfinite(measured), measured, typical)
        return (weight * known.log() + (1 - weight) * typical.log()).exp().float()

    def spread(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        rates, responses = [rate for rate, _ in pairs], [response for _, response in pairs]
        return (
            shrunk(dispersion(rates, responses, burn_in=0).clamp_min(1e-3)),
            shrunk(correlation_time(rates, responses, burn_in=0).clamp_min(1.0)),
        )

    scatter, lasting = spread(pairs)
    shown = list(predictions(encoder, fitted[:: max(1, len(fitted) // 60)]))
    shared = measure_shared_gain(shown, pairs, scatter, lasting)
    if shared is not None:
        scatter, lasting = spread(without_shared_gain(pairs, shared, scatter))
    return ObservationModel(scatter, lasting, shared)


@dataclass(frozen=True, eq=False)
class EncoderScores:
    """How good an encoder is on some trials.

    Attributes:
        correlation: Single-trial correlation of rate and response, ``neuron``.
        ceiling: What the true rate would reach, estimated from repeats, ``neuron``, or None without repeats. Gaze and
            arousal differ between repeats and count as noise here, so an encoder that is told of them can come closer
            to this ceiling than to the true one, and beyond it.
        trials: How many trials were scored.
    """

    correlation: Tensor
    ceiling: Tensor | None
    trials: int

    def summary(self) -> dict[str, float | int | None]:
        """Means and medians over neurons; the fraction of the ceiling counts neurons whose ceiling is above 0.1."""
        fraction = None
        if self.ceiling is not None:
            fraction = float(fraction_of_ceiling(self.correlation, self.ceiling).nanmean())
        return {
            "trials": self.trials,
            "mean_correlation": float(self.correlation.nanmean()),
            "median_correlation": float(self.correlation.nanmedian()),
            "median_ceiling": float(self.ceiling.nanmedian()) if self.ceiling is not None else None,
            "mean_fraction_of_ceiling": fraction,
        }


def score_encoder(encoder: Encoder, trials: Sequence[Trial]) -> EncoderScores:
    """Score an encoder on trials that have responses, with the noise ceiling where clips repeat among them."""
    ceiling = None
    shown: dict[str, list[Tensor]] = {}
    for trial in trials:
        response = trial.response
        if response is not None:
            shown.setdefault(trial.clip_id, []).append(response[encoder.settled(len(response))])
    repeated = [clips for clips in shown.values() if len(clips) > 1]
    if repeated:
        fewest = min(len(clips) for clips in repeated)
        frames = [min(len(clip) for clip in clips) for clips in repeated]
        joined = [torch.stack([c[:n] for c in clips[:fewest]]) for clips, n in zip(repeated, frames, strict=True)]
        ceiling = noise_ceiling(torch.cat(joined, 1))
    return EncoderScores(correlations(encoder, trials), ceiling, len(trials))


def _facts(recording: Recording, own: Split, encoder: Encoder, fitted: Fitted) -> dict[str, Any]:
    select = score_encoder(encoder, own.select)
    facts: dict[str, Any] = {
        "session_id": recording.session_id,
        "recording_fingerprint": recording.fingerprint,
        "response_unit": recording.response_unit,
        "trials": {"train": [t.trial_id for t in own.train], "select": [t.trial_id for t in own.select]},
        "clips": {
            "train": sorted({t.clip_id for t in own.train}),
            "select": sorted({t.clip_id for t in own.select}),
        },
        "dropped": {drop.trial.trial_id: drop.reason for drop in own.dropped},
        "history": list(fitted.history),
        "ended": fitted.ended,
        "scores": {"select": select.summary()},
        "select_correlation": _rounded(select.correlation),
    }
    repeated = _repeated(own.test)
    if repeated:
        scores = score_encoder(encoder, repeated)
        facts["scores"]["repeats"] = scores.summary()
        facts["repeats_correlation"] = _rounded(scores.correlation)
        facts["repeats_ceiling"] = _rounded(scores.ceiling) if scores.ceiling is not None else None
    return facts


def _repeated(trials: Sequence[Trial]) -> list[Trial]:
    shown: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.response is not None:
            shown.setdefault(trial.clip_id, []).append(trial)
    return [trial for group in shown.values() if len(group) > 1 for trial in group]


def _rounded(values: Tensor) -> list[float | None]:
    return [None if value != value else round(value, 4) for value in values.tolist()]


def _behavior_moments(trials: Sequence[Trial]) -> tuple[Tensor, Tensor]:
    behaviors = [trial.behavior for trial in trials]
    joined = torch.cat(behaviors)
    if not joined.shape[1]:  # of nothing torch.std makes a warning
        return joined.new_zeros(0), joined.new_ones(0)
    std = (joined - joined.mean(0)).square().mean(0).sqrt()
    # A channel that never varies says nothing; its own unit keeps it harmless.
    return joined.mean(0), torch.where(std > 0, std, torch.ones_like(std))


def session_facts(model: Model, session_id: str) -> Mapping[str, Any]:
    """What the model's facts say about one session.

    Raises:
        BadData: the model was not fitted to it, or does not say how.
    """
    model.session(session_id)
    for facts in model.facts.get("fitted", ()):
        if facts["session_id"] == session_id:
            return dict(facts)
    raise BadData(f"the encoder.json of this encoder does not say how session {session_id!r} was fitted; fit it again.")
