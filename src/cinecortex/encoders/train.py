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
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.evaluation import (
    mean_response,
    measure_observation_model,
    rounded,
    score_encoder,
    shown_repeatedly,
)
from cinecortex.encoders.fit import FitSettings, Fitted, TrialClips, fit_population
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.recipe import DwiseNeuro, Recipe
from cinecortex.encoders.separable import SeparableEncoder
from cinecortex.encoders.together import fit_together
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import measure_movies
from cinecortex.tensors import PerNeuron

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


Architecture = Compact | LinearNonlinearSettings | DwiseNeuro
"""What can be fitted; which one says what kind of encoder comes out."""
Settings = FitSettings | Recipe


def kind_of(architecture: Architecture) -> str:
    """The kind of encoder that an architecture becomes, as the command line and ``encoder.json`` spell it."""
    if isinstance(architecture, DwiseNeuro):
        return DwiseNeuroEncoder.kind
    return SeparableEncoder.kind if isinstance(architecture, LinearNonlinearSettings) else CompactEncoder.kind


def default_settings(architecture: Architecture) -> Settings:
    """How an architecture is fitted unless told otherwise."""
    if isinstance(architecture, DwiseNeuro):
        return Recipe()
    return FitSettings(epochs=12, patience=4) if isinstance(architecture, LinearNonlinearSettings) else FitSettings()


def fit_model(
    recordings: Sequence[Recording],
    architecture: Architecture = Compact(),
    *,
    settings: Settings | None = None,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    folds: int = 8,
    select_fold: int = 0,
    member: int = 0,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Fit encoders to one or several sessions that are split by clip together.

    Trials of tier ``train`` are fitted to, except one fold of them (by clip, near-copies included) on which early
    stopping and the observation model rest. No trial of any other tier is looked at until the scores are made.

    Args:
        recordings: The sessions.
        architecture: What to fit. DwiseNeuro is one network for all sessions, the others are fitted one by one.
        settings: How to descend: a `Recipe` for DwiseNeuro, else `FitSettings`; None for the architecture's own.
        seed: Root of every random stream.
        folds: How many folds the training clips are dealt into.
        select_fold: Which of them is set aside to select on.
        member: Number of this fit in an ensemble. Members share the folds and differ in everything else that is
            random; member 0 is the fit that is made without an ensemble.
        state: Folder for the state of an unfinished fit; what an earlier fit left there is deleted.
        resume: Go on from ``state`` instead; the fit must be the very same.
        progress: Told after every epoch.

    Raises:
        BadData: there is nothing to fit to.
        WrongUse: there are fewer distinct clips than folds, ``state`` was left by another fit, or the settings are not
            those of the architecture.
    """
    settings = settings if settings is not None else default_settings(architecture)
    if isinstance(settings, Recipe) != isinstance(architecture, DwiseNeuro):
        raise WrongUse(f"{type(architecture).__name__} cannot be fitted with {type(settings).__name__}.")
    roles = split(recordings, seed=seed / "split", folds=folds, select_fold=select_fold)
    parts = {recording.session_id: _of_session(roles, recording.session_id) for recording in recordings}
    for recording in recordings:
        if not parts[recording.session_id].train or not parts[recording.session_id].select:
            raise BadData(f"{recording.source} has too few training clips of its own to fit to and to select on.")
    own_seed = seed / f"member {member}" if member else seed
    groups = [list(recordings)] if isinstance(settings, Recipe) else [[recording] for recording in recordings]
    states = [_state_folder(state, group, parts, architecture, settings, own_seed) for group in groups]
    _make_way(state, states, resume)
    fits = dict[str, tuple[Encoder, Fitted]]()
    for group, folder in zip(groups, states, strict=True):
        if isinstance(architecture, DwiseNeuro) and isinstance(settings, Recipe):
            fits |= fit_together(
                group, parts, architecture, settings, own_seed, state=folder, resume=resume, progress=progress
            )
        elif isinstance(settings, FitSettings) and not isinstance(architecture, DwiseNeuro):
            own = parts[group[0].session_id]
            fits[group[0].session_id] = _fit_session(
                group[0], own, architecture, settings, own_seed / group[0].session_id, folder, resume, progress
            )
    for session_id, (encoder, _) in fits.items():
        encoder.eval()
        encoder.movie_statistics = measure_movies(trial.movie for trial in parts[session_id].train)
        encoder.observation_model = measure_observation_model(
            encoder, parts[session_id].select, parts[session_id].train
        )
    return Model(
        {session_id: encoder for session_id, (encoder, _) in fits.items()},
        {
            "kind": kind_of(architecture),
            "architecture": asdict(architecture),
            "fit": asdict(settings),
            "seed": seed.root,
            "member": member,
            "folds": folds,
            "select_fold": select_fold,
            "fitted": [_facts(r, parts[r.session_id], *fits[r.session_id]) for r in recordings],
        },
    )


def _of_session(roles: Split, session_id: str) -> Split:
    def own(trials: Sequence[Trial]) -> tuple[Trial, ...]:
        return tuple(trial for trial in trials if trial.session_id == session_id)

    dropped = tuple(drop for drop in roles.dropped if drop.trial.session_id == session_id)
    return Split(own(roles.train), own(roles.select), own(roles.test), dropped)


def _state_folder(
    state: Path | None,
    recordings: Sequence[Recording],
    parts: Mapping[str, Split],
    architecture: Architecture,
    settings: Settings,
    seed: Seed,
) -> Path | None:
    """Where the state of one fit lies: under a name that only the very same fit has."""
    if state is None:
        return None
    sessions = [
        [
            recording.fingerprint,
            [[trial.trial_id for trial in role] for role in (parts[recording.session_id].train,)],
            [[trial.trial_id for trial in role] for role in (parts[recording.session_id].select,)],
        ]
        for recording in recordings
    ]
    plan = sessions, kind_of(architecture), asdict(architecture), asdict(settings), repr(seed)
    return state / hashlib.blake2b(json.dumps(plan).encode(), digest_size=16).hexdigest()


def _make_way(state: Path | None, states: Sequence[Path | None], resume: bool) -> None:
    """Delete what an earlier fit left, unless it is to be gone on with."""
    if state is None or not state.exists():
        return
    if not resume:
        shutil.rmtree(state)
    elif not any(folder is not None and folder.exists() for folder in states):
        raise WrongUse(
            f"{state} was left by a fit of other recordings, settings or another seed; repeat those to go on with "
            "it, or leave out --resume to begin anew."
        )


def _fit_session(
    recording: Recording,
    own: Split,
    architecture: Compact | LinearNonlinearSettings,
    settings: FitSettings,
    seed: Seed,
    state: Path | None,
    resume: bool,
    progress: Progress | None,
) -> tuple[Encoder, Fitted]:
    encoder = architecture.build(recording, own.train)
    fitted = fit_population(
        encoder, own.train, own.select, settings=settings, seed=seed, state=state, resume=resume, progress=progress
    )
    return encoder, fitted


def _facts(recording: Recording, own: Split, encoder: Encoder, fitted: Fitted) -> dict[str, Any]:
    mean = mean_response(own.train)
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
        "mean_response": rounded(mean),
    }
    return facts | scores_of(encoder, own.select, own.test, mean)


def scores_of(encoder: Encoder, select: Sequence[Trial], test: Sequence[Trial], mean: PerNeuron) -> dict[str, Any]:
    """What ``encoder.json`` keeps of how good an encoder is on its select trials, and on repeated clips of the test."""
    facts: dict[str, Any] = {"scores": {}}
    if select:
        chosen = score_encoder(encoder, select, mean=mean)
        facts["scores"]["select"] = chosen.summary()
        facts["select_correlation"] = rounded(chosen.correlation)
    repeated = shown_repeatedly(test)
    if repeated:
        scores = score_encoder(encoder, repeated, mean=mean)
        facts["scores"]["repeats"] = scores.summary()
        facts["repeats_correlation"] = rounded(scores.correlation)
        facts["repeats_ceiling"] = rounded(scores.ceiling) if scores.ceiling is not None else None
        facts["repeats_by_neuron"] = scores.by_neuron()
    return facts


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
