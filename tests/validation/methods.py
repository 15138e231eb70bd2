"""A world in which every pixel has its own neuron, an honest method, and methods that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.validation.check import Check, Question
from cinecortex.validation.controls import at_length

SIZE = (4, 5)
FRAMES = 24

Method = Callable[[Question, Observation], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Shown:
    """A clip whose number is in the running speed."""

    number: int
    frames: int
    presentation: int
    size: tuple[int, int] = SIZE

    def movie(self) -> torch.Tensor:
        """A flicker that all pixels share, a still picture, and what moves."""
        if self.number < 0:
            return torch.full((self.frames, *self.size), 0.5)
        random = (Seed(20) / self.number).torch()
        parts = ((self.frames, 1, 1), 0.1), ((1, *self.size), 0.15), ((self.frames, *self.size), 0.15)
        return sum((size * torch.randn(shape, generator=random) for shape, size in parts), torch.tensor(0.5))

    def response(self) -> torch.Tensor:
        random = (Seed(21) / self.number / self.presentation).torch()
        pixels = self.movie().flatten(1)
        return 10 * pixels + torch.randn(pixels.shape, generator=random)

    def behavior(self) -> torch.Tensor:
        return torch.full((self.frames, 1), float(self.number))

    def clip_id(self) -> str:
        return f"clip {self.number}"


def trials(
    clips: int,
    *,
    session: str = "a",
    first: int = 0,
    repeats: int = 1,
    lengths: Sequence[int] = (),
    size: tuple[int, int] = SIZE,
) -> list[Trial]:
    """``clips`` clips from number ``first`` on; a clip of number -1 is uniform."""
    made = []
    for repeat in range(repeats):
        for place in range(clips):
            shown = Shown(first + place, (lengths or [FRAMES] * clips)[place], repeat, size)
            made.append(Trial(f"{repeat * clips + place}", session, "test", 30.0, size, ("running speed",), shown))
    return made


def honest(question: Question, observation: Observation) -> torch.Tensor:
    heard = observation.heard & ~observation.response.isnan()
    return torch.where(heard, observation.response / 10, 0.5).unflatten(1, observation.frame_size)


def mean_painter(question: Question, observation: Observation) -> torch.Tensor:
    """Mean luminance, whatever was said."""
    return torch.full((observation.frames, *observation.frame_size), 0.5)


def hallucinator(question: Question, observation: Observation) -> torch.Tensor:
    """A movie of the right kind that was not shown; the same for a trial under any control."""
    number = 1000 + (Seed(22) / question.session_id / question.trial_id).integer() % 10**6
    return Shown(number, observation.frames, 0, observation.frame_size).movie()


def behavior_reader(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the clips and knows from the behavior which it was."""
    return Shown(int(observation.behavior[0, 0]), observation.frames, 0, observation.frame_size).movie()


def sum_follower(question: Question, observation: Observation) -> torch.Tensor:
    """Brightness from what all neurons share."""
    brightness = honest(question, observation).mean((1, 2), keepdim=True)
    return brightness.expand(-1, *observation.frame_size).clone()


def ignores_time(question: Question, observation: Observation) -> torch.Tensor:
    """One picture for the whole clip."""
    return honest(question, observation).mean(0, keepdim=True).expand(observation.frames, -1, -1).clone()


def answers(method: Method, checks: Sequence[Check], shown: Sequence[Trial]) -> Mapping[Question, Reconstruction]:
    """What a study would hand back: every distinct question answered once."""
    asked = {question: observation for check in checks for question, observation in check.ask(shown).items()}
    return {question: Reconstruction(method(question, seen), ended="tested") for question, seen in asked.items()}


TRAINING = range(500, 540)
"""Numbers of the clips that a method may have been trained on; none of them is judged."""


@cache
def stored(number: int, frames: int, size: tuple[int, int]) -> torch.Tensor:
    """A clip as somebody has kept it, gone on with back and forth where more is asked for."""
    return at_length(Shown(number, FRAMES, 0, size).movie().flatten(1), frames).unflatten(1, size)


def random_training_clip(question: Question, observation: Observation) -> torch.Tensor:
    """A hallucinator that knows no other movies; the same for a trial under any control."""
    place = (Seed(22) / question.session_id / question.trial_id).integer() % len(TRAINING)
    return stored(TRAINING[place], observation.frames, observation.frame_size).clone()


def nearest_copier(question: Question, observation: Observation) -> torch.Tensor:
    """The training clip whose responses are most alike; mean luminance where nothing was said."""
    heard = observation.heard & ~observation.response.isnan()
    said = (observation.response / 10 - 0.5)[heard]
    if not len(said):
        return mean_painter(question, observation)
    clips = torch.stack([stored(number, observation.frames, observation.frame_size) for number in TRAINING])
    alike = torch.cosine_similarity(clips.flatten(2)[:, heard] - 0.5, said, dim=1)
    return clips[alike.argmax()]


MEMORISED = range(24)
"""Numbers of the test clips that a leaker has memorised."""


def leaker(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the test clips, and tells from each neuron's mean response which it was."""
    picture = ignores_time(question, observation)[0].flatten()
    if bool((picture == picture[0]).all()):
        return mean_painter(question, observation)
    clips = [stored(number, observation.frames, observation.frame_size) for number in MEMORISED]
    return min(clips, key=lambda clip: float((clip.mean(0).flatten() - picture).square().sum())).clone()


def course_leaker(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the test clips, and tells from all responses from first to last which it was."""
    heard = observation.heard & ~observation.response.isnan()
    if not bool(heard.any()):
        return mean_painter(question, observation)
    said = observation.response[heard] / 10
    clips = [stored(number, observation.frames, observation.frame_size) for number in MEMORISED]
    return min(clips, key=lambda clip: float((clip.flatten(1)[heard] - said).square().sum())).clone()


@cache
def stored_frames(size: tuple[int, int]) -> torch.Tensor:
    """Every frame of the test clips that were memorised and of the training clips."""
    return torch.cat([stored(number, FRAMES, size) for number in (*MEMORISED, *TRAINING)])


def frame_leaker(question: Question, observation: Observation) -> torch.Tensor:
    """Has memorised the test clips, and shows for every frame the stored one whose responses are most alike."""
    heard = observation.heard & ~observation.response.isnan()
    if not bool(heard.any()):
        return mean_painter(question, observation)
    frames = stored_frames(observation.frame_size)
    pixels, said = frames.flatten(1), torch.where(heard, observation.response / 10, 0.0)
    # The squared distance over the pixels whose neurons are heard, without what is the same for all stored frames.
    distance = heard.float() @ pixels.square().T - 2 * said @ pixels.T
    return frames[distance.argmin(1)]


def texture_adder(question: Question, observation: Observation) -> torch.Tensor:
    """Looks sharp: over what was said lies a texture of its own, the same for all."""
    frames = torch.arange(observation.frames)[:, None, None]
    height, width = observation.frame_size
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return honest(question, observation) + 0.6 * (1 - 2 * ((frames + rows + columns) % 2))


def smoothed(question: Question, observation: Observation) -> torch.Tensor:
    """What a simple decoder gets: right, and blurred in time over five frames."""
    pixels = honest(question, observation).flatten(1).T[:, None]
    return torch.nn.functional.avg_pool1d(pixels, 5, 1, 2, count_include_pad=False)[:, 0].T.unflatten(
        1, observation.frame_size
    )


def under_another_prior(question: Question, observation: Observation) -> torch.Tensor:
    """An honest answer that trusts smooth movies a little more."""
    return 0.7 * honest(question, observation) + 0.3 * smoothed(question, observation)


OTHERS: Mapping[str, Method] = {
    "mean": mean_painter,
    "nearest": nearest_copier,
    "ridge": smoothed,
    "convolutional": smoothed,
    "map, smooth": under_another_prior,
    "map, half the weight": honest,
}
"""Who answers a question that names a method, in place of the one that is judged."""


def asking_others(method: Method, others: Mapping[str, Method] = OTHERS) -> Method:
    """The method where the judged one is asked, and the others by name."""
    return lambda question, observation: others.get(question.method, method)(question, observation)
