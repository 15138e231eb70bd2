import numpy as np
import pytest
import torch
from scipy.fft import idctn
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from tests.worlds import LinearWorld

from cinecortex.errors import BadData
from cinecortex.inversion.map import MAP
from cinecortex.inversion.power_laws import fit_power_laws
from cinecortex.inversion.prior_draws import hamiltonian_draw
from cinecortex.inversion.priors import Flat, Prior, Spectral
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import MovieStatistics, measure_movies

SHAPE = (5, 4, 6)
BINS = 15


def spectral(contrast: float = -0.3) -> Spectral:
    fall = 1 / (1 + torch.arange(15.0))
    return Spectral(MovieStatistics(0.45, 0.02 * torch.outer(fall, fall), SHAPE[0], 0.2, 0.3, 10), contrast)


def normal(*names: str) -> torch.Tensor:
    seed = Seed(0)
    for name in names:
        seed = seed / name
    return torch.from_numpy(seed.numpy().standard_normal(SHAPE))


def covariance(prior: Spectral) -> np.ndarray:
    amplitude = prior.amplitude(torch.zeros(SHAPE, dtype=torch.float64)).numpy()
    basis = idctn(np.eye(120).reshape(-1, *SHAPE), axes=(1, 2, 3), norm="ortho").reshape(120, 120)
    return basis.T @ np.diag(amplitude.ravel() ** 2) @ basis


def test_the_spectral_prior_stands_at_the_mean_contrast_and_moves_with_it():
    z = normal("z")
    prior = Spectral.of(spectral().statistics)
    assert prior.contrast == 0.2
    louder = prior.at_contrast(0.2 + np.log(3.0))
    torch.testing.assert_close(louder.movie(z) - 0.45, 3 * (prior.movie(z) - 0.45), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(louder.whiten(z), 3 * prior.whiten(z), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("contrast", [-0.3, 0.9])
def test_the_spectral_density_is_that_of_a_multivariate_normal_with_its_constant(contrast):
    prior = spectral(contrast)
    movie = spectral(0.0).movie(normal("z"))
    expected = multivariate_normal(np.full(120, 0.45), covariance(prior)).logpdf(movie.numpy().ravel())
    assert float(prior.log_density(movie)) == pytest.approx(expected, rel=1e-9)


def test_frequencies_without_power_have_no_say():
    statistics = spectral().statistics
    power = statistics.power.clone()
    power[0, 0] = 0
    prior = Spectral(MovieStatistics(0.45, power, SHAPE[0], 0.2, 0.3, 10))
    movie = prior.movie(normal("z"))
    torch.testing.assert_close(prior.log_density(movie), prior.log_density(movie + 0.2), rtol=1e-9, atol=0)
    assert bool(torch.isfinite(prior.log_density(movie)))


def test_the_density_of_the_contrast_is_normal():
    prior, contrast = spectral(), torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert float(prior.contrast_density(0.5)) == pytest.approx(norm(0.2, 0.3).logpdf(0.5))
    (slope,) = torch.autograd.grad(prior.contrast_density(contrast), contrast)
    assert float(slope) == pytest.approx(-0.3 / 0.3**2)


def test_with_a_spread_of_contrasts_draws_differ_in_contrast_as_training_clips_do():
    prior = Spectral(spectral().statistics, contrast_spread=True)
    z = torch.stack([prior.whiten(prior.draw(*SHAPE[:1], SHAPE[1:], Seed(1) / i) - 0.45) for i in range(150)])
    amplitude = prior.amplitude(torch.zeros(SHAPE))
    contrast = (z / amplitude**2).square().mean((1, 2, 3)).sqrt().log().numpy()
    # Estimated from 120 coefficients, a log-contrast is off by sqrt(1 / 240), which is little against its spread.
    spread = np.hypot(0.3, np.sqrt(1 / 240))
    assert contrast.mean() == pytest.approx(0.2, abs=4 * spread / np.sqrt(150))
    assert contrast.std() == pytest.approx(spread, abs=4 * spread / np.sqrt(300))
    still = Spectral(spectral().statistics)
    assert torch.equal(still.draw(5, (4, 6), Seed(2)), still.movie(torch.randn(5, 4, 6, generator=Seed(2).torch())))


def fixed_density(movie: torch.Tensor, contrast: float) -> float:
    return float(spectral(contrast).log_density(movie))


@pytest.mark.parametrize("loudness", [0.2, 1.0, 6.0])
def test_with_a_spread_of_contrasts_the_density_is_the_mean_over_contrasts(loudness):
    prior = Spectral(spectral().statistics, 0.1, contrast_spread=True)
    movie = 0.45 + loudness * (spectral(0.0).movie(normal("z")) - 0.45)
    fixed = covariance(spectral(0.0))
    pixels = movie.numpy().ravel() - 0.45
    distance = pixels @ np.linalg.solve(fixed, pixels)
    constant = multivariate_normal(np.zeros(120), fixed).logpdf(np.zeros(120))

    def joint(c: float) -> float:
        return constant - 120 * c - 0.5 * np.exp(-2 * c) * distance + norm.logpdf(c, 0.2, 0.3)

    assert joint(0.7) == pytest.approx(float(prior.at_contrast(0.7).contrast_density(0.7)) + fixed_density(movie, 0.7))
    best = np.log(loudness)
    mean, _ = quad(lambda c: np.exp(joint(c) - joint(best)), best - 1.5, best + 1.5, limit=200)
    assert float(prior.log_density(movie)) == pytest.approx(np.log(mean) + joint(best), rel=1e-7)
    assert torch.autograd.gradcheck(prior.log_density, movie[:, :2, :2].requires_grad_())


def planted(temporal: float, spatial: float, bins: int = BINS) -> torch.Tensor:
    """Power laws at the middle of every bin, with levels of their own at zero frequency."""

    def middle(lowest: float) -> torch.Tensor:
        edges = torch.logspace(np.log10(lowest), np.log10(0.5), bins)
        return torch.cat([torch.ones(1), (edges[1:] * edges[:-1]).sqrt()])

    power = 1e-4 * torch.outer(middle(1 / 600) ** -temporal, middle(1 / 128) ** -spatial)
    power[0, 1:] *= 300
    power[1:, 0] *= 7
    power[0, 0] = 3.0
    return power


@pytest.mark.parametrize(("temporal", "spatial"), [(1.0, 2.0), (0.4, 2.6)])
def test_planted_power_laws_are_found_and_noise_around_them_is_smoothed(temporal, spatial):
    power = planted(temporal, spatial)
    exact = fit_power_laws(MovieStatistics(0.45, power, 300, 0.0, 0.3, 10))
    assert exact.temporal_exponent == pytest.approx(temporal, abs=1e-4)
    assert exact.spatial_exponent == pytest.approx(spatial, abs=1e-4)
    torch.testing.assert_close(exact.statistics.power, power, rtol=1e-3, atol=0)

    noise = torch.from_numpy(Seed(3).numpy().normal(0, 0.3, (BINS, BINS))).float()
    noisy = fit_power_laws(MovieStatistics(0.45, power * noise.exp(), 300, 0.0, 0.3, 10))
    assert noisy.temporal_exponent == pytest.approx(temporal, abs=0.1)
    assert noisy.spatial_exponent == pytest.approx(spatial, abs=0.1)
    left = (noisy.statistics.power / power).log()[1:, 1:]
    assert float(left.abs().max()) < 0.15


def test_exponents_survive_the_measurement_of_movies():
    truth = Spectral(MovieStatistics(0.5, 0.1 * planted(1.0, 2.0), 60, 0.0, 0.0, 1))
    movies = [truth.draw(60, (18, 32), Seed(0) / i) for i in range(8)]
    found = fit_power_laws(measure_movies(movies))
    assert found.temporal_exponent == pytest.approx(1.0, abs=0.1)
    assert found.spatial_exponent == pytest.approx(2.0, abs=0.1)


def test_a_spectrum_of_nothing_has_no_power_laws():
    with pytest.raises(BadData, match="too few bins"):
        Spectral.parametric(MovieStatistics(0.5, torch.zeros(BINS, BINS), 300, 0.0, 0.3, 1))


def test_draws_from_the_flat_prior_fill_the_luminance_range_evenly():
    pixels = Flat().draw(50, (10, 10), Seed(0)).flatten()
    counts = torch.histc(pixels, 5, 0, 1)
    assert counts.sum() == 5000
    # Five counts of 1000 scatter by 28.
    assert float((counts - 1000).abs().max()) < 130


class EnergyOfScore(torch.autograd.Function):
    """Minus the integral of the score from gray to the movie; its gradient is handed over, not derived."""

    @staticmethod
    def forward(context, pixels, score):
        context.save_for_backward(score(pixels))
        nodes, weights = np.polynomial.legendre.leggauss(4)
        along = [w / 2 * (score((x + 1) / 2 * pixels) * pixels).sum() for x, w in zip(nodes, weights, strict=True)]
        return -torch.stack(along).sum()

    @staticmethod
    def backward(context, upstream):
        (score,) = context.saved_tensors
        return -upstream * score, None


class Denoiser:
    """A prior known only by a function that takes noise out of movies: here, the best linear one, frame by frame."""

    whitened = False

    def __init__(self, clean: np.ndarray, sigma: float):
        self.sigma = sigma
        self.smoother = torch.from_numpy(clean @ np.linalg.inv(clean + sigma**2 * np.eye(len(clean))))

    def denoise(self, pixels):
        return (pixels.flatten(1) @ self.smoother.T).view_as(pixels)

    def score(self, pixels):
        return (self.denoise(pixels) - pixels) / self.sigma**2

    def movie(self, z):
        return 0.5 + z

    def whiten(self, gradient):
        return gradient

    def energy(self, z):
        return EnergyOfScore.apply(z, self.score)

    def log_density(self, movie):
        return -self.energy(movie - 0.5)

    def draw(self, frames, frame_size, seed):
        return self.movie(hamiltonian_draw(self.energy, torch.zeros(frames, *frame_size), seed))


def test_a_denoiser_comes_in_by_the_same_door():
    world = LinearWorld.make(Seed(4), frames=6, size=(4, 4), neurons=10)
    world.encoder.movie_statistics = world.prior.statistics  # for the mask and the preconditioner: no chains for those
    clean, sigma = world.prior_covariance()[:16, :16], 0.1
    prior = Denoiser(clean, sigma)
    assert isinstance(prior, Prior)
    found = MAP(
        encoder=world.encoder,
        likelihood=world.likelihood,
        prior=prior,
        evaluations=3000,
        tolerance_nats=1e-12,
        start_scale=0.1,
    )(world.observation, Seed(0))
    # The score of a denoiser is that of movies with the noise on (Tweedie), so this is the posterior mean under them.
    noisy = np.kron(np.eye(6), clean + sigma**2 * np.eye(16))
    matrix, offset = world.design()
    rows = slice((world.encoder.memory - 1) * 10, None)
    matrix, residual = matrix[rows], world.observation.response.numpy().ravel()[rows] - offset[rows]
    variance = np.tile(world.likelihood.variance.numpy(), 6)[rows]
    residual = residual - 0.5 * matrix.sum(1)
    gain = noisy @ matrix.T @ np.linalg.inv(matrix @ noisy @ matrix.T + np.diag(variance))
    expected = 0.5 + (gain @ residual).reshape(world.truth.shape)
    np.testing.assert_allclose(found.movie, np.clip(expected, 0, 1), atol=1e-4)
    assert "converged" in found.ended or "no step" in found.ended
