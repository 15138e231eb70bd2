"""The methods by name: an inverter or decoder for a recording, made as its users would want it by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cinecortex.decoders import fit_bayesian, fit_convolutional, fit_mean, fit_nearest, fit_ridge
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.train import session_facts
from cinecortex.errors import WrongUse
from cinecortex.identifiability.identified import Identified
from cinecortex.inversion import masks
from cinecortex.inversion.averaged import Averaged
from cinecortex.inversion.langevin import Langevin
from cinecortex.inversion.likelihoods import Likelihood, likelihood_of
from cinecortex.inversion.map import MAP, default_prior
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.priors import Flat, Prior, Spectral
from cinecortex.inversion.problem import BehaviorGiven
from cinecortex.inversion.restricted import Bounded
from cinecortex.inversion.sample import Sample
from cinecortex.inversion.smooth import Smooth
from cinecortex.metrics.movies import BURN_IN
from cinecortex.metrics.recalibration import Recalibration, fit_calibration
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Observation, Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask

Method = Literal[
    "map",
    "sample",
    "information",
    "paper",
    "mean",
    "nearest",
    "ridge",
    "bayesian",
    "convolutional",
    "langevin",
    "hmc",
]
METHODS: tuple[Method, ...] = (
    "map",
    "sample",
    "information",
    "paper",
    "mean",
    "nearest",
    "ridge",
    "bayesian",
    "convolutional",
    "langevin",
    "hmc",
)
DRAWING: tuple[Method, ...] = ("sample", "langevin", "hmc")
"""Methods that draw from the posterior."""
TOLD: tuple[Method, ...] = ("map", "sample", "information", "paper")
"""Methods that can be told another behavior than was recorded."""
DECODERS: tuple[Method, ...] = ("mean", "nearest", "ridge", "bayesian", "convolutional")
"""Methods that are trained on response and movie, and ask no encoder."""
PriorName = Literal["spectral", "parametric", "bounded", "smooth", "flat"]
PRIORS: tuple[PriorName, ...] = ("spectral", "parametric", "bounded", "smooth", "flat")
CALIBRATION_CLIPS = 15
CALIBRATION_DRAWS = 8
DRAWS, CHAIN_DRAWS = 32, 200
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Choices:
    """What a user may want otherwise; the defaults are what is published about a method.

    Attributes:
        mask: Where the population can see: for `paper` where pixels may change, for the others part of the answer;
            None for what the encoder's sensitivity says.
        behavior: What the encoder is told of the behavior during inversion by the methods in `TOLD`.
        prior: Prior of ``map``.
        prior_weight: How many times as much it counts beside the responses as their measured noise says.
        draws: Draws of ``sample`` in all; those of the chains too where they are kept.
        keep: Whether the answer holds the draws.
        calibrate: Whether ``sample`` fits the width of its intervals, and its contrast, to select clips.
    """

    mask: Mask | None = None
    behavior: BehaviorGiven = "recorded"
    prior: PriorName = "spectral"
    prior_weight: float = 1.0
    draws: int = DRAWS
    keep: bool = False
    calibrate: bool = True


DEFAULTS = Choices()


def make_inverter(
    method: Method,
    model: Model,
    recording: Recording,
    *,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    choices: Choices = DEFAULTS,
    progress: Progress | None = None,
) -> Inverter:
    """An inverter for this recording; decoders are fitted to the very trials that the encoder was fitted to.

    Of an ensemble, ``map`` and ``paper`` average one reconstruction for each member, and ``sample`` draws from each.

    Args:
        method: Its name.
        model: The fitted encoders.
        recording: What is to be inverted.
        seed: Root of what is random in the training of a decoder and in calibration.
        choices: See `Choices`.
        progress: Told of each select clip that is inverted for calibration.

    Raises:
        WrongUse: a choice does not go with the method.
    """
    encoder = model.session(recording.session_id)
    members = encoder.members if isinstance(encoder, Ensemble) else (encoder,)
    if choices.prior != "spectral" and method != "map":
        raise WrongUse(f"--prior {choices.prior} goes with --method map; {method} has a prior of its own or none.")
    if choices.behavior != "recorded" and method not in TOLD:
        raise WrongUse(f"--behavior {choices.behavior} goes with --method {', '.join(TOLD)}; not with {method}.")
    if method == "map":
        maps = [
            MAP(
                encoder=m,
                likelihood=_weighed(m, choices.prior_weight),
                prior=prior_of(choices.prior, m),
                mask=choices.mask,
                behavior=choices.behavior,
            )
            for m in members
        ]
        return maps[0] if len(maps) == 1 else Averaged(maps)
    if method == "information":
        return Identified(encoder=encoder, mask=choices.mask, behavior=choices.behavior)
    if method == "paper":
        return Paper(encoders=members, mask=choices.mask, behavior=choices.behavior)
    if method in ("langevin", "hmc"):
        draws = choices.draws if choices.keep else CHAIN_DRAWS
        return Langevin(encoder=encoder, draws=draws, path=1.57 if method == "hmc" else 0.0, samples=choices.keep)
    train, select = trials_of(model, recording, "train"), trials_of(model, recording, "select")
    if method == "sample":
        return _sampler(encoder, select, seed / "calibrate", choices, progress)
    fits: dict[Method, Callable[[], Inverter]] = {
        "mean": lambda: fit_mean(train),
        "nearest": lambda: fit_nearest(train),
        "ridge": lambda: fit_ridge(train, select),
        "bayesian": lambda: fit_bayesian(train, select),
        "convolutional": lambda: fit_convolutional(train, select, seed=seed / "convolutional"),
    }
    return fits[method]()


def trials_of(model: Model, recording: Recording, role: Literal["train", "select"]) -> list[Trial]:
    """The trials that had this role when the model was fitted."""
    return [recording.trial(trial_id) for trial_id in session_facts(model, recording.session_id)["trials"][role]]


def prior_of(name: PriorName, encoder: Encoder) -> Prior:
    """The prior of this name, with what it needs from the encoder's training clips.

    Raises:
        WrongUse: the encoder carries no movie statistics.
    """
    spectral = default_prior(encoder)
    statistics = spectral.statistics
    priors: dict[PriorName, Callable[[], Prior]] = {
        "spectral": lambda: spectral,
        "parametric": lambda: Spectral.parametric(statistics),
        "bounded": lambda: Bounded(spectral),
        "smooth": lambda: Smooth.of(statistics, (statistics.frames, *encoder.frame_size)),
        "flat": lambda: Flat(statistics.mean),
    }
    return priors[name]()


def _weighed(encoder: Encoder, prior_weight: float) -> Likelihood | None:
    """The likelihood of responses that say so many times less; None for the encoder's own."""
    if prior_weight == 1 or encoder.observation_model is None:
        return None
    lasting = encoder.observation_model.correlation_time * prior_weight
    return likelihood_of(replace(encoder.observation_model, correlation_time=lasting))


def mask_of(choice: str, model: Model, recording: Recording) -> Mask | None:
    """The mask that a user chose: ``sensitivity`` (None: the inverter's own), ``trained``, or a file.

    Raises:
        BadData: the file is not a mask of this frame size.
    """
    if choice == "sensitivity":
        return None
    encoder = model.session(recording.session_id)
    if choice == "trained":
        train = trials_of(model, recording, "train")
        return masks.trained_transparency(encoder, train, seed=Seed(0) / "mask")
    return masks.given(Path(choice), encoder.frame_size)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """An inverter whose contrast and intervals were brought to what holds on select clips.

    Attributes:
        inverter: What is calibrated.
        recalibration: What is done to its answers.
    """

    inverter: Inverter
    recalibration: Recalibration

    @property
    def name(self) -> str:
        """That of the inverter."""
        return self.inverter.name

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        """Reconstruct one trial."""
        return self.recalibration.apply(self.inverter(observation, seed))


def calibrated(
    inverter: Inverter,
    trials: Sequence[Trial],
    *,
    seed: Seed,
    measured_by: Inverter | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit contrast and width of the intervals to clips that the encoder was not fitted to, inside the mask.

    Args:
        inverter: What is to be calibrated.
        trials: Select clips; never those that are to be judged.
        seed: For the inversions.
        measured_by: A cheaper inverter that differs in nothing but precision, such as one of fewer draws.
        progress: Told of each clip.

    Raises:
        WrongUse: there is no trial, or the inverter gives no standard deviation.
    """
    asked = measured_by if measured_by is not None else inverter
    errors, stds, movies = [], [], []
    for number, trial in enumerate(trials, 1):
        answer, truth = asked(trial.observe(), seed / trial.trial_id), trial.movie
        if answer.std is None or answer.mask is None:
            raise WrongUse(f"{inverter.name} gives no standard deviation and mask to calibrate.")
        first = min(BURN_IN, len(truth) // 2)
        seen = answer.mask >= 0.5
        if not bool(seen.any()):
            raise WrongUse("no pixel is inside the mask: there is nothing to calibrate on.")
        errors.append((truth - answer.movie)[first:, seen])
        stds.append(answer.std[first:, seen])
        movies.append(answer.movie[first:, seen])
        if progress is not None:
            progress(number, len(trials), f"trial {trial.trial_id}")
    return Calibrated(inverter, fit_calibration(errors, stds, movies=movies))


def _sampler(
    encoder: Encoder, select: Sequence[Trial], seed: Seed, choices: Choices, progress: Progress | None
) -> Inverter:
    def sampler(draws: int, keep: bool) -> Sample:
        return Sample(encoder=encoder, draws=draws, keep=keep, mask=choices.mask, behavior=choices.behavior)

    members = len(encoder.members) if isinstance(encoder, Ensemble) else 1
    chosen = sampler(choices.draws, choices.keep)
    usable = [trial for trial in select if trial.response is not None][:CALIBRATION_CLIPS]
    if not choices.calibrate or not usable:
        return chosen
    fewer = sampler(min(choices.draws, max(CALIBRATION_DRAWS, 2 * members)), False)
    return calibrated(chosen, usable, seed=seed, measured_by=fewer, progress=progress)
