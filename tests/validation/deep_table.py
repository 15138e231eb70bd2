"""Which deep check catches what: on methods that misjudge themselves, and on populations that say little.

``python -m tests.validation.deep_table`` writes ``docs/deep-validation-table.md`` anew. The world is that of `tiny`,
but for the right of the screen, whose neurons nobody recorded. What the neurons say of a pixel and what they leave open
is known in closed form: pixels are taken one by one, as the honest method takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tests.validation import methods, tiny
from tests.validation.deep_in_silico import CASES as IN_SILICO
from tests.validation.deep_in_silico import CLIPS, by_case
from tests.validation.methods import Method, Shown
from tests.validation.populations import by_pixel, crowds
from tests.validation.tiny import FRAME, NEURONS_EACH, Kept

from cinecortex.finding import Finding
from cinecortex.information import Band, Information
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial, TrialReader
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Movie, Response
from cinecortex.validation.check import Answers, Asked, Check, Question
from cinecortex.validation.deep import DEEP
from cinecortex.validation.scoring import Scoring

PAGE = Path(__file__).parents[2] / "docs" / "deep-validation-table.md"
HONEST = "honest"
CHECKS = (
    "identifiability.information",
    "identifiability.data_share",
    "identifiability.metamers",
    "uncertainty.calibrated",
    "population.scaling",
)
"""Those that ask for what was recorded, and can be answered in closed form."""
VARIANCE, NOISE = 0.1**2 + 0.15**2 + 0.15**2, 0.1**2
"""Of a pixel, and of what one neuron says of it."""
NORMAL = 1.6448536
"""A 90 % interval reaches this many standard deviations to either side."""

SEEN = torch.zeros(FRAME)
SEEN[:, :6] = 1.0


@dataclass(frozen=True)
class Case:
    """Who is judged, on whose activity, and what is said of it.

    Attributes:
        what: What it does, in words.
        shows: The reconstruction; None is the honest one.
        neurons: How many of the recorded neurons there are; None is all.
        spread: By how much the stated standard deviation is too large.
        states: What is made of the right data share before it is stated.
    """

    what: str
    shows: Method | None = None
    neurons: int | None = None
    spread: float = 1.0
    states: Callable[[Movie], Movie] = lambda share: share


CASES: Mapping[str, Case] = {
    HONEST: Case("the posterior of every pixel, given its neurons"),
    "few neurons": Case("the same, of four neurons in all", neurons=4),
    "too sure": Case("the same, with error bars of a third", spread=1 / 3),
    "unsure": Case("the same, with error bars of three times", spread=3.0),
    "reversed share": Case(
        "the same, but calls data what is the algorithm's", states=lambda share: share.max() - share
    ),
    "flat share": Case("the same, but says of all pixels that half is data", states=lambda share: 0 * share + 0.5),
    "mean": Case("paints mean luminance, with the error bars of the honest one", methods.mean_painter),
    "hallucinator": Case("shows a training clip picked at random, with those error bars", methods.random_training_clip),
    "behavior reader": Case(
        "has memorised the test clips, tells from behavior which it was, with those error bars",
        methods.behavior_reader,
    ),
    "course leaker": Case(
        "has memorised the test clips, tells from all responses which it was, with those error bars",
        methods.course_leaker,
    ),
    "sum follower": Case("follows what all neurons share, with those error bars", methods.sum_follower),
    "timeless": Case("one picture for the whole clip, with those error bars", methods.ignores_time),
}


@dataclass(frozen=True, eq=False)
class Recorded:
    """A trial of which only some neurons were recorded."""

    reader: TrialReader
    neurons: torch.Tensor

    def movie(self) -> Movie:
        return self.reader.movie()

    def response(self) -> Response | None:
        response = self.reader.response()
        return None if response is None else torch.where(self.neurons, response, torch.nan)

    def behavior(self) -> Behavior:
        return self.reader.behavior()

    def clip_id(self) -> str:
        return self.reader.clip_id()


def recorded(neurons: int | None) -> torch.Tensor:
    """Which neurons there are: those of the pixels that are seen, or so many of them."""
    seen = SEEN.flatten().bool().repeat(NEURONS_EACH)
    if neurons is not None:
        places = seen.nonzero()[:, 0]
        order = torch.randperm(len(places), generator=Seed(50).torch())
        seen = torch.zeros_like(seen)
        seen[places[order[:neurons]]] = True
    return seen


def judged(case: Case) -> tuple[Trial, ...]:
    """One trial of each clip."""
    neurons = recorded(case.neurons)
    clips = crowds(tiny.CLIPS, size=FRAME)
    return tuple(replace(one, reader=Kept(Recorded(one.reader, neurons))) for one in clips)


def posterior(observation: Observation) -> tuple[Movie, Movie]:
    """Mean and data share of every pixel."""
    heard = (observation.heard & observation.response.isfinite()).unflatten(1, (NEURONS_EACH, -1))
    response = observation.response.nan_to_num().unflatten(1, (NEURONS_EACH, -1))
    number = heard.sum(1).unflatten(1, FRAME)
    mean = (torch.where(heard, response, 0.0).sum(1) / heard.sum(1).clamp(min=1)).unflatten(1, FRAME)
    share = VARIANCE * number / (VARIANCE * number + NOISE)
    return 0.5 + share * (mean / 10 - 0.5) * (number > 0), share


def said(share: Movie, neurons: int) -> Information:
    """What the data determine where every pixel is a dimension of its own."""
    frames, pixels = len(share), share.numel()
    whole = float(share.mean())
    return Information(
        bits=float(-0.5 * torch.log2(1 - share).sum()),
        bits_error=1.0,
        dimensions=float(share.sum()),
        dimensions_error=1.0,
        eigenvalues=(whole / (1 - whole),),
        counts=(float(pixels),),
        coordinates=pixels,
        neurons=neurons,
        frames=frames,
        frame_rate_hz=30.0,
        share=whole,
        share_error=0.01,
        bands=(Band((0.0, 0.7), (0.0, 0.5), whole, 0.01, VARIANCE),),
        probes=4,
    )


def unlike(question: Question, observation: Observation) -> Movie:
    """A metamer: what the neurons say, and of what they leave open as much as movies have, from another one."""
    mean, share = posterior(observation)
    number = 2000 + (Seed(51) / question.trial_id).integer() % 10**6
    other = Shown(number, observation.frames, 0, observation.frame_size).movie()
    return mean + (1 - share).sqrt() * (other - 0.5)


def answer(case: Case, question: Question, observation: Observation) -> Reconstruction:
    """What a panel would hand back."""
    mean, share = posterior(observation)
    std = (VARIANCE * (1 - share)).sqrt()
    if question.method == "metamer":
        movie = unlike(question, observation)
        return Reconstruction(movie, ended="tested", lower=mean - 2 * std, upper=mean + 2 * std)
    if question.method == "information":
        # Measured by Monte Carlo, and so with some noise.
        noise = 0.05 * torch.randn(share.shape, generator=(Seed(52) / question.trial_id).torch())
        return Reconstruction(
            mean,
            ended="tested",
            mask=SEEN,
            std=std,
            data_share=case.states(share) + noise,
            information=said(share, int(recorded(case.neurons).sum())),
        )
    known = observation.response.isfinite().all(0)
    plain = replace(observation.hearing(known), response=observation.response.nan_to_num())
    movie = mean if case.shows is None else by_pixel(case.shows)(question, plain)
    wide = case.spread * std
    return Reconstruction(movie, ended="tested", std=wide, lower=movie - NORMAL * wide, upper=movie + NORMAL * wide)


Told = Mapping[str, Mapping[str, Finding]]
"""What every check says of every case."""


def case_by_case() -> Iterator[tuple[str, dict[str, Finding]]]:
    """The name of every case and what every deep check says of it."""
    subject = replace(tiny.subject(), scoring=Scoring(SEEN, burn_in=4))
    checks = {entry.id: entry.make(subject) for entry in DEEP if entry.id in CHECKS}
    for name, case in CASES.items():
        shown = judged(case)
        yield name, {check: _judged(made, shown, case) for check, made in checks.items() if not isinstance(made, str)}


def _judged(check: Check, shown: Sequence[Trial], case: Case) -> Finding:
    asked: Asked = check.ask(shown)
    given: Answers = {question: answer(case, question, seen) for question, seen in asked.items()}
    return check.judge(shown, given)


def page(told: Told, in_silico: Told) -> str:
    """The page of the documentation."""
    checks = list(told[HONEST])
    lines = [
        "# Which deep check catches what",
        "",
        f"The [deep checks](validation.md) on {tiny.CLIPS} clips of the world of [the other",
        "table](validation-table.md), where every pixel has three neurons of its own; here those of the right of the",
        "screen were not recorded. What the neurons say of a pixel is known in closed form, and so are the error bars,",
        "data shares and metamers of the honest row; nothing is measured by this package's own inverters here.",
        "Written by `python -m tests.validation.deep_table`. The tests fail where it is stale, where a wrong row is",
        "caught by no check, where a check catches nobody, and where the honest row is not supported by all.",
        "",
        "Two kinds of things are wrong here: what is said of an answer, and the answer itself. The first two columns",
        "ask what was measured of the population and not the judged method, and say the same of every method on the",
        "same neurons; whether the movie comes from them is asked by [the other checks](validation-table.md).",
        "",
        "Empty cells are `supported`.",
        "",
        f"| name | {' | '.join(f'`{check}`' for check in checks)} |",
        f"|---|{'---|' * len(checks)}",
        *_rows(told),
        "",
        "| name | what it does |",
        "|---|---|",
        *(f"| {name} | {case.what} |" for name, case in CASES.items()),
        "",
        "## In silico",
        "",
        "Two deep checks show movies of their own to an encoder that the method has nothing to do with. Here they",
        f"judge methods on {CLIPS} clips of a world where every pixel has one neuron. A method that has memorised just",
        "these clips and recognises them makes no error that there could be a budget of; it is for the other table.",
        "",
        f"| name | {' | '.join(f'`{check}`' for check in in_silico[HONEST])} |",
        f"|---|{'---|' * len(in_silico[HONEST])}",
        *_rows(in_silico),
        "",
        "| name | what it does |",
        "|---|---|",
        *(f"| {name} | {what} |" for name, (what, _) in IN_SILICO.items()),
        "",
    ]
    return "\n".join(lines)


def _rows(told: Told) -> list[str]:
    return [
        f"| {name} | " + " | ".join(_cell(finding.verdict) for finding in findings.values()) + " |"
        for name, findings in told.items()
    ]


def _cell(verdict: str) -> str:
    return "" if verdict == "supported" else verdict


if __name__ == "__main__":
    PAGE.write_text(page(dict(case_by_case()), dict(by_case())), encoding="utf-8")
    print(f"wrote {PAGE}")
