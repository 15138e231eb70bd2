"""A study, stage by stage: invert trials, score what came back, and lay it out for a report."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from cinecortex.consent import about_subject
from cinecortex.data import NearCopy, near_copies
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.train import session_facts
from cinecortex.errors import WrongUse
from cinecortex.finding import plain
from cinecortex.methods import METHODS, Method, make_inverter, trials_of
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.movies import (
    BURN_IN,
    THRESHOLDS,
    motion_energy_correlation,
    scores_over_masks,
)
from cinecortex.metrics.responses import response_correlation
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie, Response
from cinecortex.validation.controls import Control, neurons_shuffled, no_neurons

__all__ = [
    "BURN_IN",
    "METHODS",
    "ClipScores",
    "Controlled",
    "Method",
    "MethodScores",
    "disagreements",
    "expected_rates",
    "invert_trials",
    "make_inverter",
    "no_neurons",
    "plain",
    "provenance",
    "score_results",
    "seen_clips",
    "shuffled_neurons",
    "trials_of",
    "unseen_trials",
    "versions",
]
MASK_THRESHOLD = 0.5
Progress = Callable[[int, int, str], None]
Results = list[tuple[Trial, Reconstruction]]


def seen_clips(model: Model) -> frozenset[str]:
    """Identity of every clip that any session of the model was fitted to or selected on."""
    return frozenset(clip for facts in model.facts["fitted"] for role in facts["clips"].values() for clip in role)


def invert_trials(
    inverter: Inverter, trials: Sequence[Trial], *, seed: Seed, progress: Progress | None = None
) -> Results:
    """Invert trials one after another; each has a stream of its own, so no answer depends on the others."""
    results = []
    for number, trial in enumerate(trials, 1):
        answer = inverter(trial.observe(), seed / trial.session_id / trial.trial_id)
        results.append((trial, answer))
        if progress is not None:
            progress(number, len(trials), f"trial {trial.trial_id}: {answer.ended}")
    return results


@dataclass(frozen=True, eq=False)
class ClipScores:
    """What one reconstruction scored against the movie that was shown.

    Attributes:
        trial_id: The trial.
        values: Score by metric, inside the mask after the burn-in.
        over_masks: Movie correlation at each of the thresholds of `metrics.movies.THRESHOLDS`.
    """

    trial_id: str
    values: Mapping[str, float]
    over_masks: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class MethodScores:
    """The scores of one method over clips."""

    method: str
    clips: tuple[ClipScores, ...]
    frame_passes: float
    seconds: float

    def values(self, metric: str) -> list[float]:
        """One score per clip."""
        return [clip.values[metric] for clip in self.clips]

    def interval(self, metric: str, *, seed: Seed = Seed(0)) -> Interval:  # noqa: B008 - frozen
        """Mean over clips with its bootstrap interval."""
        return bootstrap_mean(self.values(metric), seed=seed / "bootstrap")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(self.clips[0].values)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        content: dict[str, Any] = plain(
            {
                "method": self.method,
                "frame_passes": self.frame_passes,
                "seconds": self.seconds,
                "mean": {name: asdict(self.interval(name)) for name in self.metrics},
                "clips": {clip.trial_id: dict(clip.values) for clip in self.clips},
            }
        )
        return content


def score_results(
    method: str,
    results: Results,
    *,
    mask: Mask,
    encoder: Encoder | None = None,
    burn_in: int = BURN_IN,
) -> MethodScores:
    """Score reconstructions against the movies that were shown, all inside one mask.

    Args:
        method: Name of the method.
        results: Trials and their reconstructions.
        mask: The mask of the population, ``height width``; pixels at 0.5 or more count.
        encoder: Predicts responses from the reconstruction, for the response correlation. That score is reported
            because the literature reports it; an inversion that fits noise scores higher than the true movie.
        burn_in: Frames left out at the start; of clips shorter than twice that, half.

    Raises:
        WrongUse: there is nothing to score.
    """
    if not results:
        raise WrongUse(f"there is no reconstruction by {method} to score.")
    clips = [_scores(trial, answer.movie, mask, encoder, burn_in) for trial, answer in results]
    return MethodScores(
        method=method,
        clips=tuple(clips),
        frame_passes=sum(answer.frame_passes for _, answer in results) / len(results),
        seconds=sum(answer.seconds for _, answer in results) / len(results),
    )


def _scores(trial: Trial, guess: Movie, mask: Mask, encoder: Encoder | None, burn_in: int) -> ClipScores:
    truth = trial.movie
    burn_in = min(burn_in, len(truth) // 2)
    over = scores_over_masks(guess, truth, mask, burn_in=burn_in)
    inside, everywhere = over[THRESHOLDS.index(MASK_THRESHOLD)], over[THRESHOLDS.index(0.0)]
    values = {
        "movie correlation": inside.movie_correlation,
        "frame correlation": inside.frame_correlation,
        "structural similarity": inside.structural_similarity,
        "full-field movie correlation": everywhere.movie_correlation,
        "motion energy correlation": float("nan"),
    }
    # Of two steps the correlation is 1 or -1, whatever moved.
    if inside.pixels and len(truth) - burn_in > 3:
        values["motion energy correlation"] = motion_energy_correlation(
            guess, truth, mask=mask, threshold=MASK_THRESHOLD, burn_in=burn_in
        )
    if encoder is not None:
        values["response correlation"] = _response_score(encoder, trial, guess)
    return ClipScores(trial.trial_id, values, tuple(row.movie_correlation for row in over))


def _response_score(encoder: Encoder, trial: Trial, movie: Movie) -> float:
    response = trial.response
    if response is None:
        return float("nan")
    rate = _rate(encoder, trial, movie)
    settled = encoder.settled(len(movie))
    return float(response_correlation(rate[settled], response[settled], burn_in=0).nanmean())


def unseen_trials(model: Model, recordings: Sequence[Recording], trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials whose clip was neither fitted to nor selected on in any session.

    An exact copy is known by its content wherever it was shown. A near-copy is found among the clips of
    ``recordings``: hand in every session that the model was fitted to.
    """
    seen = seen_clips(model)
    # Every movie that the model saw, and every one asked about, once each.
    shown = (trial for recording in recordings for trial in recording.trials if trial.clip_id in seen)
    clips = {trial.clip_id: trial.reader.movie for trial in (*shown, *trials)}
    copied = {clip for pair in near_copies(clips) for clip in (pair.first, pair.second) if _touches(pair, seen)}
    return tuple(trial for trial in trials if trial.clip_id not in seen | copied)


def _touches(pair: NearCopy, clips: frozenset[str]) -> bool:
    return pair.first in clips or pair.second in clips


def machine() -> str:
    """What numbers were computed on, in words."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator"
    threads = torch.get_num_threads()
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, {threads} "
        f"thread{'s' * (threads != 1)} a task, {accelerator}"
    )


def versions() -> dict[str, str]:
    """Versions of what numbers come from."""
    return {name: version(name) for name in ("cinecortex", "torch", "numpy", "scipy")}


def provenance(model: Model, recording: Recording, *, seed: int, command: str, consent: str = "") -> dict[str, str]:
    """Versions, seeds and fingerprints, whose movies these are, and what was stated of consent, for a result or report.

    Args:
        model: Holds the encoder.
        recording: What was reconstructed from.
        seed: Root of every random number.
        command: For the record.
        consent: From `cinecortex.consent.stated_consent`.
    """
    facts = session_facts(model, recording.session_id)
    return {
        **about_subject(recording, consent),
        "command": command,
        "seed": str(seed),
        "recording": recording.fingerprint,
        "encoder fitted on recording": facts["recording_fingerprint"],
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {platform.system()}",
    }


@dataclass(frozen=True, eq=False)
class Controlled:
    """An inverter that is given a changed observation.

    Attributes:
        inverter: The method under control.
        control: What is done to every observation before the method sees it.
    """

    inverter: Inverter
    control: Control

    @property
    def name(self) -> str:
        """Name of the method and of the control."""
        control = self.control.func if isinstance(self.control, partial) else self.control
        return f"{self.inverter.name}, {control.__name__.replace('_', ' ')}"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct from the changed observation."""
        return self.inverter(self.control(observation, seed / "control"), seed)


def shuffled_neurons(observation: Observation, seed: Seed) -> Observation:
    """`neurons_shuffled` of the controls, under the name that results carry."""
    return neurons_shuffled(observation, seed)


def expected_rates(encoder: Encoder, trials: Sequence[Trial]) -> list[tuple[Trial, Response]]:
    """The responses that the encoder expects on each trial; the first ``memory - 1`` rest on frames before the clip."""
    return [(trial, _rate(encoder, trial, trial.movie)) for trial in trials]


def disagreements(encoder: Encoder, trials: Sequence[Trial]) -> list[Response] | None:
    """The standard deviation of the members' rates on each trial; None for an encoder that has no members."""
    if not isinstance(encoder, Ensemble):
        return None
    with torch.no_grad():
        shown = ((trial.movie[None].to(encoder.device), trial.behavior[None].to(encoder.device)) for trial in trials)
        return [encoder.disagreement(movies, behaviors)[0].cpu() for movies, behaviors in shown]


def _rate(encoder: Encoder, trial: Trial, movie: Movie) -> Response:
    with torch.no_grad():
        rates: Tensor = encoder(movie[None].to(encoder.device), trial.behavior[None].to(encoder.device))
    return rates[0].cpu()
