"""A study, stage by stage: invert trials, score what came back, and lay it out for a report."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

import torch

from cinecortex.data import near_copies
from cinecortex.decoders import Ridge, TrainingMean, fit_mean, fit_ridge
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.train import session_facts
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.metrics.bootstrap import Interval, bootstrap_mean
from cinecortex.metrics.movies import (
    BURN_IN,
    frame_correlation,
    motion_energy_correlation,
    movie_correlation,
    scores_over_masks,
    structural_similarity,
)
from cinecortex.metrics.responses import response_correlation
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie, Response

Method = Literal["map", "paper", "mean", "ridge"]
METHODS: tuple[Method, ...] = ("map", "paper", "mean", "ridge")
MASK_THRESHOLD = 0.5
Progress = Callable[[int, int, str], None]
Results = list[tuple[Trial, Reconstruction]]


def make_inverter(method: Method, model: Model, recording: Recording) -> Inverter:
    """An inverter for this recording; decoders are fitted to the very trials that the encoder was fitted to."""
    encoder = model.session(recording.session_id)
    if method == "map":
        return MAP(encoder=encoder)
    if method == "paper":
        return Paper(encoders=(encoder,))
    train, select = trials_of(model, recording, "train"), trials_of(model, recording, "select")
    decoder: TrainingMean | Ridge = fit_mean(train) if method == "mean" else fit_ridge(train, select)
    return decoder


def trials_of(model: Model, recording: Recording, role: Literal["train", "select"]) -> list[Trial]:
    """The trials that had this role when the model was fitted."""
    return [recording.trial(trial_id) for trial_id in session_facts(model, recording.session_id)["trials"][role]]


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
        """Plain values."""
        return {
            "method": self.method,
            "frame_passes": self.frame_passes,
            "seconds": self.seconds,
            "mean": {name: asdict(self.interval(name)) for name in self.metrics},
            "clips": {clip.trial_id: dict(clip.values) for clip in self.clips},
        }


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
        burn_in: Frames left out at the start.
    """
    clips = []
    for trial, answer in results:
        truth = trial.movie
        values = _scores(answer.movie, truth, mask, burn_in)
        if encoder is not None:
            values["response correlation"] = _response_score(encoder, trial, answer.movie)
        over = scores_over_masks(answer.movie, truth, mask, burn_in=burn_in)
        clips.append(ClipScores(trial.trial_id, values, tuple(row.movie_correlation for row in over)))
    count = len(results)
    return MethodScores(
        method=method,
        clips=tuple(clips),
        frame_passes=sum(answer.frame_passes for _, answer in results) / count,
        seconds=sum(answer.seconds for _, answer in results) / count,
    )


def _scores(guess: Movie, truth: Movie, mask: Mask, burn_in: int) -> dict[str, float]:
    burn_in = min(burn_in, len(truth) // 2)
    inside: dict[str, Any] = {"mask": mask, "threshold": MASK_THRESHOLD, "burn_in": burn_in}
    scores = {
        "movie correlation": movie_correlation(guess, truth, **inside),
        "frame correlation": frame_correlation(guess, truth, **inside).mean,
        "structural similarity": structural_similarity(guess, truth, **inside),
        "full-field movie correlation": movie_correlation(guess, truth, burn_in=burn_in),
    }
    if len(truth) - burn_in > 2:
        scores["motion energy correlation"] = motion_energy_correlation(guess, truth, **inside)
    return scores


def _response_score(encoder: Encoder, trial: Trial, movie: Movie) -> float:
    response = trial.response
    if response is None:
        return float("nan")
    rate = _rate(encoder, trial, movie)
    settled = encoder.settled(len(movie))
    return float(response_correlation(rate[settled], response[settled], burn_in=0).nanmean())


def unseen_trials(model: Model, recordings: Sequence[Recording], trials: Sequence[Trial]) -> frozenset[str]:
    """Ids of the trials whose clip, near-copies included, was neither fitted to nor selected on in any session."""
    seen = seen_clips(model)
    clips: dict[str, Callable[[], Movie]] = {}
    for recording in recordings:
        for trial in recording.trials:
            if trial.clip_id in seen:
                clips.setdefault(trial.clip_id, lambda trial=trial: trial.movie)  # type: ignore[misc]
    tested = {trial.clip_id: trial for trial in trials}
    for clip_id, trial in tested.items():
        clips.setdefault(clip_id, lambda trial=trial: trial.movie)  # type: ignore[misc]
    copied = {clip for pair in near_copies(clips) for clip, other in _both(pair) if other in seen}
    return frozenset(t.trial_id for t in trials if t.clip_id not in seen and t.clip_id not in copied)


def _both(pair: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    return (pair.first, pair.second), (pair.second, pair.first)


def provenance(model: Model, recording: Recording, *, seed: int, command: str) -> dict[str, str]:
    """Versions, seeds and fingerprints, for a result or a report."""
    packages = ("cinecortex", "torch", "numpy", "scipy")
    facts = session_facts(model, recording.session_id)
    return {
        "command": command,
        "seed": str(seed),
        "recording": recording.fingerprint,
        "encoder fitted on recording": facts["recording_fingerprint"],
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
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
    control: Callable[[Observation, Seed], Observation]

    @property
    def name(self) -> str:
        """Name of the method and of the control."""
        return f"{self.inverter.name}, {self.control.__name__.replace('_', ' ')}"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct from the changed observation."""
        return self.inverter(self.control(observation, seed / "control"), seed)


def shuffled_neurons(observation: Observation, seed: Seed) -> Observation:
    """Every response is handed to another neuron; what is shared by all of them (such as contrast) stays."""
    order = torch.randperm(observation.response.shape[1], generator=seed.torch())
    return replace(observation, response=observation.response[:, order], heard=observation.heard[order])


def no_neurons(observation: Observation, seed: Seed) -> Observation:
    """No neuron is heard: what comes back is the prior speaking."""
    return observation.hearing(torch.zeros_like(observation.heard))


def expected_rates(encoder: Encoder, trials: Sequence[Trial]) -> list[tuple[Trial, Response]]:
    """The responses that the encoder expects on each trial; the first ``memory - 1`` rest on frames before the clip."""
    return [(trial, _rate(encoder, trial, trial.movie)) for trial in trials]


def _rate(encoder: Encoder, trial: Trial, movie: Movie) -> Response:
    with torch.no_grad():
        return encoder(movie[None].to(encoder.device), trial.behavior[None].to(encoder.device))[0].cpu()
