"""What the pages of larger populations and of ensembles count, and what they say of it."""

from __future__ import annotations

import itertools

import pytest
import torch

from cinecortex.identifiability.curves import Curve
from cinecortex.information import Band, Information
from cinecortex.metrics.movies import movie_correlation
from cinecortex.seeds import Seed


@pytest.fixture(scope="module")
def ensembling(benchmark_module):
    return benchmark_module("ensembling")


@pytest.fixture(scope="module")
def information(benchmark_module):
    return benchmark_module("population_information")


def test_every_set_of_encoders_counts_once(ensembling):
    random = torch.Generator().manual_seed(0)
    truth = torch.rand(50, 4, 5, generator=random)
    movies = truth + 0.3 * torch.randn(3, 50, 4, 5, generator=random)
    curve, spread = ensembling.curve_of(movies, truth, torch.ones(4, 5))
    scored = [movie_correlation(one, truth, burn_in=30) for one in movies]
    pairs = [movie_correlation((a + b) / 2, truth, burn_in=30) for a, b in itertools.combinations(movies, 2)]
    assert curve == pytest.approx([sum(scored) / 3, sum(pairs) / 3, movie_correlation(movies.mean(0), truth)], abs=0.02)
    assert curve[:2] == pytest.approx([sum(scored) / 3, sum(pairs) / 3])
    assert spread == pytest.approx(torch.tensor(scored).std().item(), abs=1e-6)
    assert curve == sorted(curve)


def test_gains_are_paired_and_what_is_left_is_said(ensembling):
    found = [
        ensembling.Ensembled(str(n), (0.5 + n / 10, 0.56 + n / 10, 0.6 + n / 10), 0.02, {"rates": 0.55 + n / 10})
        for n in range(4)
    ]
    page = "\n".join(ensembling.lines_of(found, 1000, 100, 10))
    assert "| 3 | reconstructions | 0.750 " in page
    assert "0.100 [0.100, 0.100] |" in page, "clips differ by far more than that"
    assert "| 3 | rates, in one descent | 0.700 " in page
    assert "brings 60% of what all 3 bring" in page
    flat = [ensembling.Ensembled("0", (0.5, 0.5, 0.5), 0.0)]
    assert "bring nothing" in "\n".join(ensembling.lines_of(flat, 1000, 100, 10))


BANDS = (Band((0.0, 0.01), (0.0, 0.0), 0.9, 0.1, 9.0), *(Band((0.1, 0.2), (f, f), f / 50, 0.1, f) for f in (0.1, 0.3)))
"""Two of detail: the mean share, weighted by variance, is (0.1 * 0.002 + 0.3 * 0.006) / 0.4 = 0.005."""


def curve(points, bits, clips=("a",), along="neurons"):
    def one(value):
        return Information(value, 1.0, value, 1.0, (1.0,), (value,), 1000, 5, 100, 30.0, value / 4000, 0.01, BANDS, 4)

    return Curve(along, tuple(points), tuple(clips), 500, tuple(((tuple(map(one, bits)),)) for _ in clips))


def test_the_page_holds_the_prediction_against_the_measurement(information):
    few, whole = curve([25.0], [40.0]), curve([2000.0], [1500.0])
    grown = curve([62.0, 125.0, 250.0, 500.0], [90.0, 175.0, 330.0, 600.0])
    noise = curve(information.NOISE, [2000.0, 1500.0, 700.0], along="noise")
    page = "\n".join(information.lines_of(few, grown, whole, noise, 100, training=60))
    assert "| 25 | 40 ± 1 | 1.60 | 40 ± 1 | 0.010 ± 0.010 | 0.005 |" in page
    assert "25 neurons determine 40 of 1,000 dimensions. In 1% of the variance" in page
    assert "99.5% is the algorithm's" in page
    assert "| 1,500 ± 1 | yes |" in page
    beyond = "\n".join(information.lines_of(few, grown, curve([2000.0], [9000.0]), noise, 100, training=60))
    assert "| 9,000 ± 1 | no |" in beyond
    assert "Twice the bits of 500: About " in page


def test_clips_are_joined_and_a_recording_is_a_random_part(information):
    both = information.joined([curve([1.0], [2.0]), curve([1.0], [4.0], clips=("b",))])
    assert both.clips == ("a", "b")
    assert both.means().tolist() == [3.0]
    heard = information.recorded(2000, 500, Seed(1))
    assert int(heard.sum()) == 500
    assert not torch.equal(heard, information.recorded(2000, 500, Seed(2)))


def test_curves_are_measured_once_and_kept(information, tmp_path):
    asked = []

    def measure():
        asked.append(1)
        return (curve([25.0], [40.0]),)

    first, again = (information.kept_curves(tmp_path / "curves.json", measure) for _ in range(2))
    assert len(asked) == 1
    assert first[0].measured == again[0].measured == curve([25.0], [40.0]).measured
