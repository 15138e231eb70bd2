"""A check's place in the suite, and what it may need to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cinecortex.encoders.base import Encoder
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.screen import ScreenGeometry
from cinecortex.validation.animal import Animal
from cinecortex.validation.check import Check
from cinecortex.validation.scoring import Scoring

NO_HELD_OUT = "it needs an encoder that the method had nothing to do with"
NO_TRAINING = "the encoder does not say which trials of this recording it was fitted to"


@dataclass(frozen=True, eq=False)
class Subject:
    """What checks may need besides the trials that are judged and the answers to them.

    Attributes:
        encoder: The encoder of the session, which the method may have inverted.
        scoring: How an answer is held against a movie.
        seed: Root of what the checks draw.
        training: Trials that the encoder was fitted to or selected on, of every session it was fitted to.
        own_training: Those of the judged session that it was fitted to.
        own_select: Those of the judged session that it was selected on.
        seen: Identity of every clip that the encoder says it was fitted to or selected on.
        left_out: Training trials that its fit left out because their clip is tested, by its own word.
        held_out: Encoders of the session that the method had nothing to do with, by what they are.
        animal: Who watches movies that no recording holds.
        noiseless: The same without noise.
        screen: What a pixel is in degrees of visual angle, where the recording or the user says so.
        repeats: Further trials, of clips that were shown more than once.
        baselines: Names of the methods that the judged one is held against.
        drawn_by: Who states the error bars of the judged method; empty where it does so itself, or nobody does.
        priors: What other priors the method can be asked under, in words, by the name that asks it so.
    """

    encoder: Encoder
    scoring: Scoring
    seed: Seed
    training: tuple[Trial, ...] = ()
    own_training: tuple[Trial, ...] = ()
    own_select: tuple[Trial, ...] = ()
    seen: frozenset[str] = frozenset()
    left_out: tuple[Trial, ...] = ()
    held_out: Mapping[str, Encoder] = field(default_factory=dict)
    animal: Animal | None = None
    noiseless: Animal | None = None
    screen: ScreenGeometry | None = None
    repeats: tuple[Trial, ...] = ()
    baselines: tuple[str, ...] = ()
    drawn_by: str = ""
    priors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A check's place in the suite.

    Attributes:
        id: Name of the check.
        make: The check, ready to ask; or, in a clause, what it would need.
        states: What may be claimed where the answer is yes, as it goes on after "that".
        sinks: Whether a no sinks the claim that the movie comes from the neurons; otherwise it limits it.
        essential: Whether that claim cannot be made without a yes.
        quick: Whether it is part of the quick suite.
        needs_held_out: Whether it needs encoders that the method had nothing to do with.
    """

    id: str
    make: Callable[[Subject], Check | str]
    states: str
    sinks: bool = False
    essential: bool = False
    quick: bool = False
    needs_held_out: bool = False

    @property
    def marks(self) -> str:
        """``**`` for a check that is essential, ``*`` for another that sinks the claim, as the documentation has it."""
        return "*" * (self.sinks + self.essential)
