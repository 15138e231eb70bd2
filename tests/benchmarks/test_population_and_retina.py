"""Who is left out of the population and how, and what the tables of neurons and of the retina count."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory

from cinecortex.metrics.movies import frame_correlation, movie_correlation
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie

FRAMES, SIZE, NEURONS = 50, (4, 5), 16


@pytest.fixture(scope="module")
def population(benchmark_module):
    return benchmark_module("population")


@pytest.fixture(scope="module")
def retina(benchmark_module):
    return benchmark_module("retina")


@pytest.fixture
def trials():
    """Three trials of noise; the first frame of the first was not measured."""
    random = torch.Generator().manual_seed(0)
    made = []
    for number in range(3):
        counts = 1 + torch.rand(FRAMES, NEURONS, generator=random)
        counts[0] = torch.nan if number == 0 else 1.0
        shown = InMemory(torch.rand(FRAMES, *SIZE, generator=random), counts)
        made.append(Trial(str(number), "s", "test", 30.0, SIZE, (), shown))
    return made


@dataclass
class Spy:
    """Answers the truth plus noise, the more of it the fewer neurons say something; remembers what it was asked."""

    truth: Movie
    name: str = "spy"
    asked: list[tuple[Observation, Seed]] = field(default_factory=list)

    def __call__(self, observation, seed):
        self.asked.append((observation, seed))
        silent = int((observation.response.nan_to_num(1.0) == 0).all(0).sum())
        share = (int(observation.heard.sum()) - 2 * silent) / NEURONS
        noise = torch.randn(self.truth.shape, generator=torch.Generator().manual_seed(1))
        return Reconstruction(movie=self.truth + (1 - share) * noise, ended="done")


def test_the_neurons_that_stay_are_nested_and_known_by_their_seed(population):
    stay = [population.kept(1000, fraction, Seed(3)) for fraction in population.FRACTIONS]
    assert [int(heard.sum()) for heard in stay] == [1000, 500, 250, 125]
    assert all(bool((small <= large).all()) for large, small in itertools.pairwise(stay))
    assert torch.equal(stay[2], population.kept(1000, 0.25, Seed(3)))
    assert not torch.equal(stay[2], population.kept(1000, 0.25, Seed(4)))
    assert int(population.kept(3, 0.125, Seed(3)).sum()) == 1


def test_silenced_neurons_are_heard_saying_nothing_where_something_was_measured(population, trials):
    observation = trials[0].observe()
    stay = population.kept(NEURONS, 0.25, Seed(0))
    silent = population.silenced(observation, stay)
    assert bool(silent.heard.all())
    assert torch.equal(silent.response[1:, stay], observation.response[1:, stay])
    assert bool((silent.response[1:, ~stay] == 0).all())
    assert bool(silent.response[0].isnan().all())


def test_both_curves_leave_out_the_same_neurons(population, trials):
    spy, mask = Spy(trials[1].movie), torch.ones(SIZE)
    mask[0] = 0
    found = population.curves(spy, trials[1], mask, seed=Seed(0))
    assert len(spy.asked) == 7  # all neurons once, three shares twice
    assert len({str(seed) for _, seed in spy.asked}) == 1
    whole = trials[1].observe()
    assert torch.equal(spy.asked[0][0].response, whole.response)
    for number, fraction in enumerate((0.5, 0.25, 0.125)):
        unheard, silent = (spy.asked[1 + 2 * number + k][0] for k in (0, 1))
        assert int(unheard.heard.sum()) == fraction * NEURONS
        assert torch.equal(unheard.response, whole.response)
        assert torch.equal((silent.response != 0).all(0), unheard.heard)
        again = Spy(trials[1].movie)
        expected = [movie_correlation(again(o, Seed(0)).movie, trials[1].movie, mask=mask) for o in (unheard, silent)]
        assert [found.unheard[fraction], found.silent[fraction]] == expected
        assert expected[0] > expected[1]
    assert found.unheard[1.0] == found.silent[1.0] == pytest.approx(1)


@pytest.fixture
def two_curves(population):
    def curve(trial_id, shift):
        unheard = {1.0: 0.8 + shift, 0.5: 0.7 + shift, 0.25: 0.6 + shift, 0.125: 0.4 + shift}
        silent = {1.0: 0.8 + shift, 0.5: 0.71 + shift - 8 * shift, 0.25: 0.65 + shift, 0.125: 0.1 + shift}
        return population.Curves(trial_id, unheard, silent)

    return [curve("0", 0.0), curve("1", 0.01)]


def test_the_table_pairs_the_curves_clip_by_clip_and_says_the_difference(population, two_curves):
    lines = population.lines_of(two_curves, 1000, 99, 10)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert [row[0] for row in cells[2:]] == ["100 %", "50 %", "25 %", "12.5 %"]
    assert cells[2][1] == cells[2][2] == "0.805 [0.800, 0.810]"
    assert cells[2][3] == ""
    assert cells[5][1:] == ["0.405 [0.400, 0.410]", "0.105 [0.100, 0.110]", "0.300 [0.300, 0.300]", "0.344"]
    text = "\n".join(lines)
    assert "the 87.5 % of neurons that are left out as if they had been silent costs 0.300 [0.300, 0.300]" in text
    assert "12.5 % of them keep 50% unheard, 13% silent, 60% as published." in text
    assert "2 of 10 unseen clips" in text


@pytest.mark.parametrize(("fraction", "says"), [(0.125, "costs 0.300"), (0.25, "gains 0.050"), (0.5, "no difference")])
def test_the_sentence_goes_with_the_interval(population, two_curves, fraction, says):
    assert says in population.stated(two_curves, fraction)


def answers(trials, noises, **more):
    random = torch.Generator().manual_seed(7)
    return [
        (t, Reconstruction(movie=t.movie + n * torch.randn(t.movie.shape, generator=random), ended="done", **more))
        for t, n in zip(trials, noises, strict=False)
    ]


def test_a_method_run_on_fewer_clips_is_compared_with_map_on_those(retina, trials):
    mask = torch.arange(20).reshape(SIZE) / 20
    places = retina.places_of(mask)
    assert [int(place.sum()) for place in (places["best"], places["full"])] == [6, 20]
    results = {
        "map": answers(trials, (0.1, 0.2, 5.0), frame_passes=10, seconds=2.0),
        "paper": answers(trials, (1.0, 2.0), frame_passes=1000, seconds=3.0),
    }
    mapped, paper = retina.rows_of(results, places)
    assert (mapped[0], paper[0]) == ("map", "paper (first 2 clips)")
    assert (mapped[4], paper[6:]) == ("", ["1,000", "3.00"])

    def scores(name, place):
        return [movie_correlation(answer.movie, trial.movie, mask=place) for trial, answer in results[name]]

    for number, place in enumerate(("mask", "best", "full"), 1):
        assert float(mapped[number].split()[0]) == pytest.approx(np.mean(scores("map", places[place])), abs=6e-4)
    gain = np.subtract(scores("map", places["best"])[:2], scores("paper", places["best"])).mean()
    assert float(paper[4].split()[0]) == pytest.approx(gain, abs=6e-4)
    frames = [frame_correlation(a.movie, t.movie, mask=mask).mean for t, a in results["paper"]]
    assert float(paper[5].split()[0]) == pytest.approx(np.mean(frames), abs=6e-4)


def test_coverage_is_counted_raw_and_calibrated_inside_the_mask_after_the_first_second(retina, trials):
    # Errors of 0.1 on every second pixel of the mask, of 0.3 on the others; outside and before, far away.
    error = torch.full((FRAMES, *SIZE), 0.1)
    error[:, :, 1::2] = 0.3
    error[:, 0], error[:30] = 9.0, 9.0
    mask = torch.ones(SIZE)
    mask[0], mask[:, 4] = 0, 0
    raw = []
    for trial in trials:
        std = torch.full_like(error, 0.2 / 1.6448536)
        middle = trial.movie - error
        raw.append(
            (trial, Reconstruction(movie=middle, ended="", std=std, lower=middle - 0.2, upper=middle + 0.2, mask=mask))
        )
    wider = Recalibration(temperature=2.0, gain=1.0, level=0.9, raw=0.5, clips=5)
    # Bounds are cut off at black and white, where no truth lies beyond.
    found = retina.covered(raw, wider, mask)
    assert found.raw == pytest.approx([0.5, 0.5, 0.5])
    assert found.calibrated == pytest.approx([1.0, 1.0, 1.0])
    sentence = retina.coverage_fact(found, wider)
    assert "raw they cover 0.500 [0.500, 0.500] (lowest clip 0.500)" in sentence
    assert "calibrated on 5 select clips 1.000 [1.000, 1.000]" in sentence
    assert "deviation by 2.000 and the contrast by 1.000" in sentence
