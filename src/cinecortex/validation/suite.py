"""The suite: every check in the order of what would sink the claim first, and what is to be said of its answers.

The deep checks, which ask how much of what is shown is in the neurons, stand behind it in `deep`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cinecortex.validation.baselines import Baselines
from cinecortex.validation.behavior_only import BehaviorOnly
from cinecortex.validation.check import Check
from cinecortex.validation.deep import DEEP
from cinecortex.validation.entry import NO_HELD_OUT, NO_TRAINING, Entry, Subject
from cinecortex.validation.generalisation_clips import GeneralisationClips
from cinecortex.validation.generalisation_families import GeneralisationFamilies
from cinecortex.validation.heldout_encoder import HeldoutEncoder
from cinecortex.validation.heldout_neurons import HeldoutNeurons
from cinecortex.validation.heldout_repeats import HeldoutRepeats
from cinecortex.validation.identification import Identification
from cinecortex.validation.leakage_alignment import LeakageAlignment
from cinecortex.validation.leakage_clips import LeakageClips
from cinecortex.validation.neurons_shuffled import NeuronsShuffled
from cinecortex.validation.no_neurons import NoNeurons
from cinecortex.validation.perturbation_contrast import Contrast
from cinecortex.validation.perturbation_luminance import Luminance
from cinecortex.validation.perturbation_noise import Noise
from cinecortex.validation.perturbation_polarity import Polarity
from cinecortex.validation.perturbation_reversal import Reversal
from cinecortex.validation.perturbation_scramble import Scramble
from cinecortex.validation.perturbation_semantics import Semantics
from cinecortex.validation.phase_randomised_check import PhaseRandomised
from cinecortex.validation.prior_sensitivity import PriorSensitivity
from cinecortex.validation.time_shifted import TimeShifted
from cinecortex.validation.trials_swapped import TrialsSwapped


def _leakage_clips(subject: Subject) -> Check | str:
    if not subject.seen:
        # That no copy is among the trials at hand says nothing where nobody knows what else was seen.
        return "the encoder does not say which clips it was fitted to"
    return LeakageClips(subject.training, subject.seen, subject.left_out)


def _leakage_alignment(subject: Subject) -> Check | str:
    return LeakageAlignment(subject.encoder, subject.own_training, subject.own_select, subject.seed)


def _no_neurons(subject: Subject) -> Check | str:
    return NoNeurons(subject.seed, subject.scoring)


def _neurons_shuffled(subject: Subject) -> Check | str:
    return NeuronsShuffled(subject.seed, subject.scoring)


def _time_shifted(subject: Subject) -> Check | str:
    return TimeShifted(subject.encoder.memory, subject.seed, subject.scoring)


def _trials_swapped(subject: Subject) -> Check | str:
    return TrialsSwapped(subject.seed, subject.scoring)


def _phase_randomised(subject: Subject) -> Check | str:
    return PhaseRandomised(subject.seed, subject.scoring)


def _behavior_only(subject: Subject) -> Check | str:
    return BehaviorOnly(subject.own_training, subject.seed, subject.scoring)


def _identification(subject: Subject) -> Check | str:
    return Identification(subject.seed, subject.scoring)


def _heldout_neurons(subject: Subject) -> Check | str:
    return HeldoutNeurons(subject.encoder, subject.seed)


def _heldout_encoder(subject: Subject) -> Check | str:
    return HeldoutEncoder(subject.held_out, subject.seed) if subject.held_out else NO_HELD_OUT


def _heldout_repeats(subject: Subject) -> Check | str:
    return HeldoutRepeats(subject.seed, subject.repeats, subject.scoring)


def _generalisation_clips(subject: Subject) -> Check | str:
    if not subject.own_training:
        return NO_TRAINING
    return GeneralisationClips(subject.own_training, subject.seed, subject.scoring)


def _generalisation_families(subject: Subject) -> Check | str:
    if subject.animal is None:
        return NO_HELD_OUT
    return GeneralisationFamilies(subject.animal, subject.seed, subject.scoring)


def _scramble(subject: Subject) -> Check | str:
    return Scramble(subject.encoder.memory, subject.seed, subject.scoring, subject.animal)


def _contrast(subject: Subject) -> Check | str:
    return Contrast(subject.animal, subject.seed, subject.scoring) if subject.animal else NO_HELD_OUT


def _polarity(subject: Subject) -> Check | str:
    return Polarity(subject.animal, subject.seed, subject.scoring) if subject.animal else NO_HELD_OUT


def _luminance(subject: Subject) -> Check | str:
    return Luminance(subject.animal, subject.seed, subject.scoring) if subject.animal else NO_HELD_OUT


def _reversal(subject: Subject) -> Check | str:
    return Reversal(subject.animal, subject.seed, subject.scoring)


def _noise(subject: Subject) -> Check | str:
    return Noise(subject.seed, subject.scoring)


def _semantics(subject: Subject) -> Check | str:
    return Semantics(subject.animal, subject.seed, subject.scoring) if subject.animal else NO_HELD_OUT


def _baselines(subject: Subject) -> Check | str:
    return Baselines(subject.seed, subject.scoring, subject.baselines) if subject.baselines else NO_TRAINING


def _prior_sensitivity(subject: Subject) -> Check | str:
    if not subject.priors:
        return "only map can be asked under other priors"
    return PriorSensitivity(subject.priors, subject.seed, subject.scoring)


SUITE: tuple[Entry, ...] = (
    Entry(LeakageClips.id, _leakage_clips, "no test clip was in training", sinks=True, essential=True, quick=True),
    Entry(LeakageAlignment.id, _leakage_alignment, "nothing was adjusted to what is tested", sinks=True),
    Entry(
        NoNeurons.id,
        _no_neurons,
        "it shows more than the method paints without any neuron",
        sinks=True,
        essential=True,
        quick=True,
    ),
    Entry(
        NeuronsShuffled.id,
        _neurons_shuffled,
        "it matters which neuron said what",
        sinks=True,
        essential=True,
        quick=True,
    ),
    Entry(TimeShifted.id, _time_shifted, "it follows the activity in time", sinks=True, essential=True),
    Entry(
        TrialsSwapped.id,
        _trials_swapped,
        "it follows the activity and not the trial",
        sinks=True,
        essential=True,
        quick=True,
    ),
    Entry(PhaseRandomised.id, _phase_randomised, "it rests on more than spectra and correlations", sinks=True),
    Entry(
        BehaviorOnly.id, _behavior_only, "it comes from the neurons and not from behavior", sinks=True, essential=True
    ),
    Entry(
        Identification.id,
        _identification,
        "it can be told from it which clip was shown",
        sinks=True,
        essential=True,
        quick=True,
    ),
    Entry(HeldoutNeurons.id, _heldout_neurons, "it predicts neurons that it was not made from", sinks=True),
    Entry(
        HeldoutEncoder.id,
        _heldout_encoder,
        "encoders that were not inverted recognise the responses in it",
        needs_held_out=True,
    ),
    Entry(HeldoutRepeats.id, _heldout_repeats, "reconstructions of several presentations agree"),
    Entry(GeneralisationClips.id, _generalisation_clips, "it holds for clips that were not in training", sinks=True),
    Entry(
        GeneralisationFamilies.id,
        _generalisation_families,
        "it holds for other kinds of movies than were in training",
        needs_held_out=True,
    ),
    Entry(Scramble.id, _scramble, "it follows the order of what the neurons said", needs_held_out=True),
    Entry(Contrast.id, _contrast, "its contrast follows the contrast that is shown", needs_held_out=True),
    Entry(Polarity.id, _polarity, "black and white are what they were", needs_held_out=True),
    Entry(Luminance.id, _luminance, "its brightness follows the brightness shown", needs_held_out=True),
    Entry(Reversal.id, _reversal, "it runs backwards where time does", needs_held_out=True),
    Entry(Noise.id, _noise, "it fades as the activity is drowned in noise"),
    Entry(Semantics.id, _semantics, "it reads pixels and does not paint content", needs_held_out=True),
    Entry(Baselines.id, _baselines, "it is better than a simple decoder", quick=True),
    Entry(PriorSensitivity.id, _prior_sensitivity, "it does not hang on the prior that was chosen"),
)
"""From what would sink the claim to what refines it."""


def entries(names: Sequence[str] | None = None, *, quick: bool = False, deep: bool = False) -> tuple[Entry, ...]:
    """The entries of these names (or of a whole group, such as ``controls``), in the order of the suite.

    Args:
        names: None for all of the suite; a deep check is asked by its name, or with all others by ``deep``.
        quick: Only those of the quick suite, where no name is given.
        deep: The deep ones, too, where no name is given.

    Raises:
        KeyError: a name is neither of a check nor of a group.
    """
    every = (*SUITE, *DEEP)
    if names is None:
        return tuple(entry for entry in (every if deep else SUITE) if entry.quick or not quick)
    for name in names:
        if not any(_named(entry, name) for entry in every):
            raise KeyError(name)
    return tuple(entry for entry in every if any(_named(entry, name) for name in names))


def _named(entry: Entry, name: str) -> bool:
    return name in (entry.id, entry.id.split(".")[0])
