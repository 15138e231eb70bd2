"""The error budget of clips: what noise, the encoder, the inverter and the prior each do to a reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.error_budget import ErrorBudget, Recovered
from cinecortex.metrics.movies import BURN_IN, mean_squared_error
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Mask, Movie, Response

Watch = Callable[[Movie, Behavior, Seed], Response]
"""What the neurons do, ``time neuron``, when somebody is shown a movie; the seed is for their noise."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Watching:
    """Who is shown the true movie in silico.

    Attributes:
        own: The inverted encoder, without noise: it answers with its rates.
        own_noisy: The same with the noise of its observation model: dispersion, correlation times, shared gains.
        other: A held-out encoder without noise.
        other_noisy: The same with noise.
    """

    own: Watch
    own_noisy: Watch
    other: Watch
    other_noisy: Watch


def measure_error_budget(
    trials: Sequence[Trial],
    invert: Inverter,
    watching: Watching,
    *,
    solver: Inverter,
    seed: Seed,
    mask: Mask | None = None,
    burn_in: int = BURN_IN,
    draws: int = 1,
    progress: Progress | None = None,
) -> ErrorBudget:
    """Recover every clip from what was recorded and from what it would have been, and tell the errors apart.

    A clip is inverted ``5 + 2 * draws`` times. The true movie is shown to whoever watches; the inverter sees responses
    only. All inversions of a clip have the same seed, and noise is drawn alike for both encoders. Where a response is
    missing in the recording it is missing in silico.

    Args:
        trials: Clips that the encoders were not fitted to, one trial of each.
        invert: The method whose errors are told apart.
        watching: Who is shown the movies.
        solver: The same inversion by a descent to the end, which says what the inverter leaves; with no neuron heard
            it must answer what the prior says alone.
        seed: For noise and inversions.
        mask: Pixels at 0.5 or more count; None counts all.
        burn_in: Frames left out at the start; of clips shorter than twice that, half.
        draws: Draws of noise for each clip. One is enough where clips are many: it is without bias.
        progress: Told of each trial.

    Raises:
        WrongUse: ``draws`` is below 1, or the prior alone is right already, so that there is nothing to tell.
    """
    if draws < 1:
        raise WrongUse(f"draws is {draws}; noise must be drawn at least once.")
    clips, recovered = [], []
    for number, trial in enumerate(trials, 1):
        own = seed / trial.session_id / trial.trial_id
        clips.append(trial.clip_id)
        recovered.append(_recovered(trial, invert, watching, solver, own, _Error(trial.movie, mask, burn_in), draws))
        if progress is not None:
            progress(number, len(trials), f"trial {trial.trial_id}")
    return ErrorBudget(tuple(clips), tuple(recovered))


@dataclass(frozen=True, eq=False)
class _Error:
    truth: Movie
    mask: Mask | None
    burn_in: int

    def __call__(self, answer: Movie) -> float:
        burn_in = min(self.burn_in, len(self.truth) // 2)
        return mean_squared_error(answer, self.truth, mask=self.mask, burn_in=burn_in)


def _recovered(
    trial: Trial, invert: Inverter, watching: Watching, solver: Inverter, seed: Seed, error: _Error, draws: int
) -> Recovered:
    observation, truth = trial.observe(), error.truth
    silent = solver(observation.hearing(torch.zeros_like(observation.heard)), seed / "invert")
    alone = error(silent.movie)
    if not alone > 0:
        raise WrongUse(
            f"the prior alone says what trial {trial.trial_id} of session {trial.session_id} showed; there is no error "
            "to account for, leave it out."
        )

    def shown(watch: Watch, draw: int = 0) -> Observation:
        response = watch(truth, observation.behavior, seed / "noise" / draw).to(observation.response)
        return replace(observation, response=response.masked_fill(observation.response.isnan(), torch.nan))

    def left(by: Inverter, given: Observation) -> float:
        return error(by(given, seed / "invert").movie) / alone

    rates = shown(watching.own)
    return Recovered(
        noiseless=left(invert, rates),
        solved=left(solver, rates),
        noisy=tuple(left(invert, shown(watching.own_noisy, draw)) for draw in range(draws)),
        other=left(invert, shown(watching.other)),
        other_noisy=tuple(left(invert, shown(watching.other_noisy, draw)) for draw in range(draws)),
        recorded=left(invert, observation),
        recorded_solved=left(solver, observation),
    )
