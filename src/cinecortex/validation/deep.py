"""The deep checks: how much of the reconstruction is in the neurons, how much is the prior's, and are its errors known?

They take longer than the suite and speak of the encoder and its population as much as of the method; whether the
movie comes from the neurons does not wait for them.
"""

from __future__ import annotations

from cinecortex.validation.check import Check
from cinecortex.validation.entry import NO_HELD_OUT, Entry, Subject
from cinecortex.validation.error_budget import ErrorBudgetCheck
from cinecortex.validation.identifiability_data_share import DataShareCheck
from cinecortex.validation.identifiability_information import InformationCheck
from cinecortex.validation.identifiability_metamers import Metamers
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder
from cinecortex.validation.population_scaling import PopulationScaling
from cinecortex.validation.resolution_limits import ResolutionLimits
from cinecortex.validation.uncertainty_calibrated import UncertaintyCalibrated


def _information(subject: Subject) -> Check | str:
    return InformationCheck(subject.seed, subject.scoring)


def _data_share(subject: Subject) -> Check | str:
    return DataShareCheck(subject.seed, subject.scoring)


def _metamers(subject: Subject) -> Check | str:
    return Metamers(subject.encoder, subject.seed, subject.scoring)


def _resolution_limits(subject: Subject) -> Check | str:
    if subject.animal is None:
        return NO_HELD_OUT
    return ResolutionLimits(subject.animal, subject.seed, subject.scoring, subject.noiseless, subject.screen)


def _uncertainty_calibrated(subject: Subject) -> Check | str:
    return UncertaintyCalibrated(subject.seed, subject.scoring, method=subject.drawn_by)


def _population_scaling(subject: Subject) -> Check | str:
    return PopulationScaling(subject.seed, subject.scoring)


def _error_budget(subject: Subject) -> Check | str:
    if subject.animal is None or not subject.held_out:
        return NO_HELD_OUT
    return ErrorBudgetCheck(
        NoiselessEncoder(subject.encoder),
        NoisyEncoder(subject.encoder),
        NoiselessEncoder(next(iter(subject.held_out.values()))),
        subject.animal,
        subject.seed,
        subject.scoring,
    )


DEEP: tuple[Entry, ...] = (
    Entry(InformationCheck.id, _information, "the neurons determine a part of what is on the screen"),
    Entry(DataShareCheck.id, _data_share, "where more of a pixel is said to be data, more of it is right"),
    Entry(Metamers.id, _metamers, "movies that the neurons cannot tell from it look like what was shown, too"),
    Entry(
        ResolutionLimits.id,
        _resolution_limits,
        "what is coarse comes back and what is too fine is not painted",
        needs_held_out=True,
    ),
    Entry(UncertaintyCalibrated.id, _uncertainty_calibrated, "its error bars hold as often as they say"),
    Entry(PopulationScaling.id, _population_scaling, "more neurons make it better"),
    Entry(
        ErrorBudgetCheck.id,
        _error_budget,
        "its errors are those of noise, encoder, inverter and prior",
        needs_held_out=True,
    ),
)
"""From how much there is to know, to how well it is known."""
