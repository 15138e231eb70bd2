"""Conditions under which an encoder's rates and stored statistics owe nothing to the trials that are judged.

Each function looks at one thing and says whether it holds; None where it could not be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cinecortex.encoders.base import Encoder, evaluating
from cinecortex.encoders.evaluation import measure_observation_model
from cinecortex.errors import CinecortexError
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import measure_movies
from cinecortex.tensors import Behavior, Response
from cinecortex.validation.controls import at_length
from cinecortex.validation.expected import expected

NEAR = 0.25
"""A stored value this much nearer to what training trials give than these are to what comes out with test trials."""

FELT = 1e-4
"""Changes of a rate below this share of the largest are rounding."""

Numbers = Float[Tensor, "_"]


@dataclass(frozen=True)
class Condition:
    """Something that must hold.

    Attributes:
        name: What was looked at.
        holds: Whether it does; None where it could not be told.
        found: What was found, in a sentence.
        measured: How far it is off, where there is a number for it, and how far it may be.
    """

    name: str
    holds: bool | None
    found: str
    measured: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Statistic:
    """Something that an encoder keeps, and how to measure it again on some training and select trials."""

    name: str
    stored: Numbers
    measure: Callable[[Sequence[Trial], Sequence[Trial]], Numbers]


def lists_apart(judged: Sequence[Trial], used: Sequence[Trial]) -> Condition:
    """No trial that is judged is among those that were fitted to or selected on."""
    both = {(t.session_id, t.trial_id) for t in judged} & {(t.session_id, t.trial_id) for t in used}
    if not used:
        return Condition("lists of trials", None, "The encoder's lists of trials were not given.")
    if both:
        named = ", ".join(f"{trial} of session {session}" for session, trial in sorted(both))
        return Condition("lists of trials", False, f"The encoder was fitted to or selected on trials judged: {named}.")
    return Condition("lists of trials", True, "No trial judged was fitted to or selected on.")


def statistics_of(encoder: Encoder, *, observation_model: bool) -> Iterator[Statistic]:
    """What the encoder keeps of the trials that it was fitted on, as far as it can be measured again."""
    buffers = {name.split(".")[-1]: buffer for name, buffer in encoder.named_buffers()}
    if len(encoder.behavior_at_rest):
        yield Statistic("mean of behavior", encoder.behavior_at_rest, lambda train, select: _behavior(train).mean(0))
    if "behavior_std" in buffers and len(buffers["behavior_std"]):
        yield Statistic(
            "spread of behavior", buffers["behavior_std"], lambda train, select: _behavior(train).std(0, correction=0)
        )
    if "mean_luminance" in buffers:
        yield Statistic(
            "mean luminance",
            buffers["mean_luminance"].reshape(1),
            lambda train, select: torch.stack([trial.movie.mean() for trial in train]).mean().reshape(1),
        )
    movies = encoder.movie_statistics
    if movies is not None:
        bins = len(movies.power)
        yield Statistic(
            "spectrum of movies",
            movies.power.flatten(),
            lambda train, select: measure_movies((trial.movie for trial in train), bins=bins).power.flatten(),
        )
    scatter = encoder.observation_model
    if scatter is not None and observation_model:

        def measured(train: Sequence[Trial], select: Sequence[Trial]) -> Numbers:
            with evaluating(encoder):
                model = measure_observation_model(encoder, select, train)
            return torch.cat([model.dispersion, model.correlation_time]).log()

        yield Statistic("noise of responses", torch.cat([scatter.dispersion, scatter.correlation_time]).log(), measured)


def from_training(
    statistic: Statistic, train: Sequence[Trial], select: Sequence[Trial], judged: Sequence[Trial]
) -> Condition:
    """A stored statistic is what the training trials give, and not what these give together with those judged."""
    if not train or not select:
        return Condition(statistic.name, None, f"The trials that the {statistic.name} comes from were not given.")
    stored = statistic.stored.detach().cpu().double()
    try:
        without = statistic.measure(train, select).cpu().double()
        with_judged = statistic.measure([*train, *judged], [*select, *judged]).cpu().double()
    except CinecortexError as error:
        return Condition(statistic.name, None, f"The {statistic.name} cannot be measured again: {error}")
    if without.shape != stored.shape:
        return Condition(statistic.name, None, f"The {statistic.name} is kept for other channels than were recorded.")
    moved = float((with_judged - without).norm())
    if moved <= 1e-6 * float(without.norm()):
        return Condition(statistic.name, True, f"The trials judged would not change the {statistic.name}.")
    off, off_with = float((stored - without).norm()) / moved, float((stored - with_judged).norm()) / moved
    measured = (off, NEAR)
    if off <= NEAR:
        return Condition(statistic.name, True, f"The {statistic.name} is that of the training trials.", measured)
    if off_with < off:
        found = f"The {statistic.name} is nearer to what comes out with the trials judged than without them."
        return Condition(statistic.name, False, found, measured)
    found = f"The {statistic.name} is not that of the training trials; where it comes from is not known."
    return Condition(statistic.name, None, found, measured)


def within_reach(encoder: Encoder, trial: Trial, *, seed: Seed) -> Condition:
    """A rate rests on ``memory`` frames up to its own, and on none or (not causal) no more than as many after it.

    One frame of a random movie is changed, and in turn of the behavior, and it is seen which rates change. A clip that
    is brought to its own mean or contrast, before or after, would change rates from its first frame to its last.
    """
    frames = 4 * encoder.memory + 8
    place = frames // 2
    random = seed.torch()
    movie = torch.rand((frames, *encoder.frame_size), generator=random)
    behavior = at_length(trial.behavior, frames)
    changed_movie, changed_behavior = movie.clone(), behavior.clone()
    changed_movie[place] = torch.rand(encoder.frame_size, generator=random)
    changed_behavior[place] = behavior.mean(0) + 1 + (behavior - behavior.mean(0)).square().mean(0).sqrt()
    ahead = 0 if encoder.causal else encoder.memory
    with evaluating(encoder):
        before = expected(encoder, movie, behavior)
        after = [expected(encoder, changed_movie, behavior)]
        if behavior.shape[1]:
            after.append(expected(encoder, movie, changed_behavior))
    felt = [at - place for rates in after for at in _changed(before, rates)]
    if not felt:
        return Condition("reach in time", None, "No rate changes when a frame does.")
    earliest, latest = min(felt), max(felt)
    found = f"A frame changes rates from {-earliest} frames before it to {latest} after it"
    holds = earliest >= -ahead and latest <= encoder.memory - 1
    promised = f"{ahead} and {encoder.memory - 1} are promised"
    return Condition("reach in time", holds, f"{found}; {promised}.")


def on_its_own(encoder: Encoder, trial: Trial, other: Trial) -> Condition:
    """Rates do not depend on which clips are shown beside, or were shown before."""
    frames = min(len(trial.movie), len(other.movie))
    shown = [(one.movie[:frames], one.behavior[:frames]) for one in (trial, other)]
    with evaluating(encoder), torch.no_grad():
        alone = expected(encoder, *shown[0])
        movies, behaviors = (torch.stack(side).to(encoder.device, encoder.dtype) for side in zip(*shown, strict=True))
        beside: Tensor = encoder(movies, behaviors)
        again = expected(encoder, *shown[0])
    off = max(float((rates - alone).abs().max()) for rates in (beside[0].cpu(), again))
    least = FELT * float(alone.abs().max())
    found = "Rates do not depend on other clips." if off <= least else "Rates depend on what other clips are shown."
    return Condition("other clips", off <= least, found, (off, least))


def settled(encoder: Encoder, trials: Sequence[Trial], burn_in: int) -> Condition:
    """No frame is scored whose rate rests on frames before the clip: there, another clip may have been shown."""
    scored = min(min(burn_in, len(trial.movie) // 2) for trial in trials)
    needed = encoder.memory - 1
    if scored >= needed:
        return Condition("burn-in", True, f"Scores leave out {scored} frames, of {needed} that rest on earlier ones.")
    found = (
        f"Scores leave out {scored} frames, but {needed} rest on what was shown before the clip; leave out more, or "
        "use longer clips."
    )
    return Condition("burn-in", None, found)


def frame_by_frame(encoder: Encoder, trials: Sequence[Trial]) -> Condition:
    """Movie, behavior and response have the same frames at the encoder's rate: nothing is resampled after loading."""
    for trial in trials:
        lengths = {len(trial.movie), len(trial.behavior)}
        lengths |= {len(response) for response in [trial.response] if response is not None}
        if len(lengths) > 1 or abs(trial.frame_rate_hz - encoder.frame_rate_hz) > 1e-3:
            found = (
                f"Trial {trial.trial_id} of session {trial.session_id} has {sorted(lengths)} frames at "
                f"{trial.frame_rate_hz:g} Hz, and the encoder takes {encoder.frame_rate_hz:g} Hz."
            )
            return Condition("resampling", None, found)
    return Condition("resampling", True, "Movie, behavior and response are taken frame by frame as they were loaded.")


def _behavior(trials: Sequence[Trial]) -> Behavior:
    return torch.cat([trial.behavior for trial in trials])


def _changed(before: Response, after: Response) -> list[int]:
    """The frames in which a rate changed."""
    by = (after - before).abs().amax(1)
    return [int(at) for at in (by > FELT * by.max()).nonzero()[:, 0]] if float(by.max()) > 0 else []
