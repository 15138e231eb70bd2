import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import torch

from cinecortex.errors import BadData
from cinecortex.inversion.priors import Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, bin_edges, dct, frequency_bins, inverse_dct, measure_movies

BINS = 15
AXES = (-3, -2, -1)


def statistics_of(frames: int, *, contrast_mean: float = 0.0, contrast_std: float = 0.0) -> MovieStatistics:
    fall = 1 / (1 + torch.arange(float(BINS)))
    return MovieStatistics(0.45, 0.02 * torch.outer(fall, fall**1.5), frames, contrast_mean, contrast_std, 1)


@pytest.mark.parametrize("shape", [(12, 8, 8), (1, 5, 7), (2, 9, 4, 6), (3, 2, 5, 3, 2)])
def test_the_transform_is_the_orthonormal_dct(shape):
    movie = np.random.default_rng(0).standard_normal(shape)
    power = dct(torch.from_numpy(movie))
    np.testing.assert_allclose(power, scipy.fft.dctn(movie, axes=AXES, norm="ortho"), atol=1e-12)
    back = inverse_dct(torch.from_numpy(movie))
    np.testing.assert_allclose(back, scipy.fft.idctn(movie, axes=AXES, norm="ortho"), atol=1e-12)
    np.testing.assert_allclose(inverse_dct(power), movie, atol=1e-12)


@pytest.mark.parametrize("shape", [(12, 8, 9), (2, 9, 4, 6)])
def test_the_coarsest_coefficients_are_those_and_all_others_are_taken_as_zero(shape):
    movie = torch.from_numpy(np.random.default_rng(3).standard_normal(shape))
    whole, coarsest = dct(movie), dct(movie, coarsest=(3, 5))
    torch.testing.assert_close(coarsest, whole[..., :3, :5])
    whole[..., 3:, :] = whole[..., 5:] = 0
    torch.testing.assert_close(inverse_dct(coarsest, frame_size=shape[-2:]), inverse_dct(whole))


def test_the_inverse_is_the_transpose():
    a, b = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 7, 6, 5)))
    torch.testing.assert_close((dct(a) * b).sum(), (a * inverse_dct(b)).sum(), atol=1e-12, rtol=0)


def test_bins_depend_on_the_frequency_not_on_the_shape():
    (short, small), (long, large) = frequency_bins((10, 8, 8), BINS), frequency_bins((30, 16, 16), BINS)
    assert torch.equal(short, long[::3])
    assert torch.equal(small, large[::2, ::2])
    assert torch.nonzero(long == 0).tolist() == [[0]]
    assert torch.nonzero(large == 0).tolist() == [[0, 0]]
    assert bool((long.diff() >= 0).all())
    assert int(large.max()) == int(long.max()) == BINS - 1


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (9, 14)])
def test_measured_on_draws_from_a_prior_the_statistics_are_those_of_the_prior(size):
    frames, clips = 30, 80
    truth = statistics_of(frames)
    contrast = np.random.default_rng(2).normal(-0.7, 0.45, clips)
    movies = [
        Spectral(truth, float(c)).draw(frames, size, Seed(0) / "clip" / i).float() for i, c in enumerate(contrast)
    ]
    found = measure_movies(movies)
    assert found.clips == clips
    assert found.frames == frames
    assert found.mean == pytest.approx(float(torch.stack(movies).mean()), abs=1e-5)

    # Only the product of spectrum and mean contrast can be known, hence the comparison at the mean of the contrasts.
    shape = (frames, *size)
    expected = truth.amplitude(shape).double() * np.exp(contrast.mean())
    measured = found.amplitude(shape).double() * np.exp(found.contrast_mean)
    temporal, spatial = frequency_bins(shape, BINS)
    index = (temporal[:, None, None] * BINS + spatial).flatten()
    coefficients = torch.bincount(index, minlength=BINS * BINS)[index].reshape(shape)
    error = torch.log(measured / expected).abs()
    # A variance of n normal numbers scatters by sqrt(2 / n), an amplitude by half of it.
    scatter = 0.5 * torch.sqrt(2 / (coefficients * clips))
    assert bool((error < 4.5 * scatter + 0.03).all())
    assert float(error.mean()) < 0.05

    assert found.contrast_std == pytest.approx(contrast.std(ddof=1), rel=0.1)
    # Against a measurement that ignored contrast, the spread would be none.
    alike = measure_movies([Spectral(truth).draw(frames, size, Seed(0) / i) for i in range(clips)])
    assert alike.contrast_std < 0.1


def test_twice_the_contrast_is_log_two_more_on_every_clip():
    truth = statistics_of(20)
    movies = [Spectral(truth).draw(20, (8, 8), Seed(1) / i) for i in range(30)]
    doubled = [0.45 + 2 * (movie - 0.45) for movie in movies]
    low, high = measure_movies(movies), measure_movies(doubled)
    ratio = (high.amplitude((20, 8, 8)) * np.exp(high.contrast_mean)) / (
        low.amplitude((20, 8, 8)) * np.exp(low.contrast_mean)
    )
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0), rtol=0.01, atol=0)
    assert high.contrast_std == pytest.approx(low.contrast_std, rel=0.05)
    assert measure_movies(movies + doubled).contrast_std == pytest.approx(np.log(2) / 2, rel=0.1)


@pytest.mark.parametrize("time", [1, 2, 7, 23])
def test_a_shorter_movie_has_the_variance_of_a_stretch_of_a_long_one(time):
    frames, size = 24, (4, 6)
    statistics = statistics_of(frames)
    temporal, spatial = frequency_bins((frames, *size), BINS)
    basis = scipy.fft.dct(np.eye(frames), axis=0, norm="ortho")
    first = (frames - time) // 2
    short = scipy.fft.dct(np.eye(time), axis=0, norm="ortho")
    expected = np.zeros((time, *size))
    for y, x in np.ndindex(size):
        power = statistics.power[temporal, spatial[y, x]].double().numpy()
        covariance = basis.T @ np.diag(power) @ basis
        stretch = covariance[first : first + time, first : first + time]
        expected[:, y, x] = np.diag(short @ stretch @ short.T)
    np.testing.assert_allclose(statistics.amplitude((time, *size)) ** 2, expected, rtol=1e-4)


def test_one_frame_of_a_drawn_movie_has_the_variance_of_a_movie_of_one_frame():
    frames, size = 9, (4, 6)
    prior = Spectral(statistics_of(frames))
    drawn = torch.stack([prior.draw(frames, size, Seed(4) / i)[frames // 2] for i in range(1500)])
    measured = dct(drawn[:, None]).var(0)
    expected = prior.amplitude(torch.zeros(1, *size)) ** 2
    # 24 variances of 1500 draws each scatter by 3.7 %.
    assert float((measured / expected - 1).abs().max()) < 0.16


def test_in_a_longer_movie_only_the_power_at_zero_frequency_grows():
    statistics = statistics_of(12)
    short, long = statistics.amplitude((12, 4, 4)) ** 2, statistics.amplitude((36, 4, 4)) ** 2
    torch.testing.assert_close(long[0], 3 * short[0])
    torch.testing.assert_close(long[3::3], short[1:])


def test_statistics_survive_json_to_the_last_bit():
    movies = [Spectral(statistics_of(10)).draw(10, (8, 8), Seed(0) / i) for i in range(4)]
    before = measure_movies(movies)
    after = MovieStatistics.from_json(json.loads(json.dumps(before.to_json())))
    assert torch.equal(before.power, after.power)
    assert replace(before, power=after.power).to_json() == after.to_json()


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (1, 1), (2, 40)])
def test_small_frames_have_finite_positive_amplitudes_at_every_length(size):
    movies = [torch.rand(20, *size, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    found = measure_movies(movies)
    for time in (1, 13, 20, 50):
        amplitude = found.amplitude((time, *size))
        assert bool((torch.isfinite(amplitude) & (amplitude > 0)).all())


def test_clips_may_differ_in_length():
    prior = Spectral(statistics_of(40))
    movies = [prior.draw(40, (8, 8), Seed(5) / i)[: 20 if i % 2 else 40] for i in range(60)]
    found = measure_movies(iter(movies))
    assert found.frames == 40
    expected, measured = prior.amplitude(movies[0])[1:, 1:, 1:], found.amplitude((40, 8, 8))[1:, 1:, 1:]
    assert float(torch.log(measured / expected).mean()) == pytest.approx(0, abs=0.1)


def test_a_uniform_movie_and_a_single_clip_are_measured_without_fault():
    found = measure_movies([torch.full((6, 4, 4), 0.25)])
    assert found.mean == pytest.approx(0.25)
    assert bool(torch.isfinite(found.amplitude((6, 4, 4))).all())
    assert np.isfinite(found.contrast_mean)
    assert np.isfinite(found.contrast_std)


def test_no_clips_are_refused():
    with pytest.raises(BadData, match="no training clip"):
        measure_movies([])


@pytest.mark.parametrize("bins", [3, 6, 15])
def test_edges_of_bins_hold_the_frequencies_that_are_in_them(bins: int) -> None:
    shape = (300, 36, 64)
    temporal, spatial = frequency_bins(shape, bins)
    in_time, in_space = bin_edges(bins)
    assert len(in_time) == len(in_space) == bins
    frequency = torch.arange(300) / 600
    along = (torch.arange(36)[:, None] / 72, torch.arange(64) / 128)
    distance = (along[0] ** 2 + along[1] ** 2).sqrt()
    for edges, index, values in ((in_time, temporal, frequency), (in_space, spatial, distance)):
        for number, (low, high) in enumerate(edges):
            held = values[index == number]
            assert bool((held >= low - 1e-6).all())
            assert bool((held <= high + 1e-6).all())
        assert edges[0] == (0.0, 0.0)
        assert edges[-1][1] >= float(values.max()) - 1e-6
