"""Ask a method about recorded clips, and say what its error bars are worth, raw and recalibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics.error_bars import Row, side_by_side
from cinecortex.metrics.movies import BURN_IN
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

RAW, RECALIBRATED, PRIOR = "raw", "recalibrated", "prior only"
Progress = Callable[[int, int, str], None]


def measure_calibration(
    inverter: Inverter,
    trials: Sequence[Trial],
    *,
    seed: Seed,
    recalibration: Recalibration | None = None,
    mask: Mask | None = None,
    burn_in: int = BURN_IN,
    progress: Progress | None = None,
) -> dict[str, Row]:
    """Coverage, calibration error, CRPS and sharpness of a method's error bars, side by side.

    Every trial is inverted twice: as it is, and with no neuron heard, which is what the skill is relative to. Trials
    of one clip count as that many clips; hand in one trial of each.

    Args:
        inverter: States errors, such as `Sample`.
        trials: Clips that neither the encoder nor the recalibration was fitted to.
        seed: For the inversions and the intervals.
        recalibration: Fitted to select clips; its answers are a row of their own.
        mask: Pixels at 0.5 or more count; None for the mask of the first answer, and the full field where it has none.
        burn_in: Frames left out at the start; of clips shorter than twice that, half.
        progress: Told of each trial.

    Returns:
        By name: ``raw``, ``recalibrated`` where there is a recalibration, and ``prior only``.

    Raises:
        WrongUse: there is no trial, clips differ in length or the method states no error.
    """
    if len({len(trial.behavior) for trial in trials}) != 1:
        raise WrongUse("calibration is measured on clips of one length, and at least one; cut them or leave some out.")
    truths, raw, prior = [], [], []
    for number, trial in enumerate(trials, 1):
        observation, own = trial.observe(), seed / trial.session_id / trial.trial_id
        truths.append(trial.movie)
        raw.append(inverter(observation, own))
        prior.append(inverter(observation.hearing(torch.zeros_like(observation.heard)), own))
        if progress is not None:
            progress(number, len(trials), f"trial {trial.trial_id}")
    counted = mask if mask is not None else raw[0].mask
    answers = {RAW: raw, PRIOR: prior}
    if recalibration is not None:
        answers[RECALIBRATED] = [recalibration.apply(answer) for answer in raw]
    first = min(burn_in, len(truths[0]) // 2)
    return side_by_side(truths, answers, counted, seed=seed / "intervals", prior_only=prior, burn_in=first)
