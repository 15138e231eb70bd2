"""Movies altered: what is shown to learn what a reconstruction rests on. Luminance stays within 0 to 1."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.tensors import Movie

Spectrum = Complex[Tensor, "time height frequency"]


def contrast_changed(movie: Movie, factor: float) -> Movie:
    """Every pixel's distance from the mean luminance of the movie, ``factor`` times.

    What would leave the range of the screen is clipped, so that the contrast of what is shown may rise less than
    asked for: measure it on what this returns.

    Args:
        movie: Luminance 0..1, ``time height width``.
        factor: 0 gives a uniform movie, 1 the movie itself.

    Raises:
        WrongUse: the factor is negative, or not a number.
    """
    if not 0 <= factor < float("inf"):
        raise WrongUse(f"the contrast factor is {factor:g}; give 0 or more, and see `polarity_inverted`.")
    mean = movie.mean()
    return (mean + factor * (movie - mean)).clamp(0, 1)


def polarity_inverted(movie: Movie) -> Movie:
    """Black for white: ``1 - movie``. Nothing is clipped and twice is once; the mean luminance is mirrored too."""
    return 1 - movie


def luminance_shifted(movie: Movie, by: float) -> Movie:
    """Every pixel brighter by ``by``, or darker; what would leave 0 to 1 is clipped, so measure it on the result."""
    return (movie + by).clamp(0, 1)


def time_reversed(movie: Movie) -> Movie:
    """The last frame first."""
    return movie.flip(0)


def phase_scrambled(movie: Movie, seed: Seed, *, iterations: int = 5) -> Movie:
    """A movie with the amplitude spectrum and the luminances of this one, and no content.

    Every Fourier coefficient over time, height and width keeps its amplitude and takes the phase of white noise. Such
    a sum of waves leaves the range of the screen, and its luminances are normally distributed. Therefore each pixel is
    given, by rank, one of the movie's own luminances, and the phases are adapted to that in turns (the iteration of
    Schreiber & Schmitz 1996, Phys Rev Lett 77:635, in three dimensions, ending on the luminances).

    Keeps the luminance histogram exactly and hence mean and contrast, and the amplitudes closely: to a few percent
    of their root mean square. Destroys all that rests on phase: edges, shapes, what moves together.

    Args:
        movie: Luminance 0..1, ``time height width``.
        seed: Stream for the phases.
        iterations: Rounds of the adaptation.
    """
    amplitude = torch.fft.rfftn(movie.double()).abs()
    values = movie.flatten().sort().values
    noise = torch.randn(movie.shape, generator=seed.torch(), dtype=torch.float64).to(movie.device)
    current = _ranked(_with_amplitude(noise, amplitude), values)
    for _ in range(iterations):
        following = _ranked(_with_amplitude(current.double(), amplitude), values)
        if torch.equal(following, current):
            break
        current = following
    return current


def _with_amplitude(movie: Movie, amplitude: Float[Tensor, "time height frequency"]) -> Movie:
    spectrum: Spectrum = torch.fft.rfftn(movie)
    # The mean has a sign and no phase; ranks do not ask for it.
    turned = torch.polar(amplitude, spectrum.angle())
    waves: Tensor = torch.fft.irfftn(turned, s=movie.shape)
    return waves


def _ranked(order: Movie, values: Float[Tensor, "pixel"]) -> Movie:
    """The sorted luminances, in the order of another movie."""
    return torch.empty_like(values).scatter_(0, order.flatten().argsort(), values).view(order.shape)


def patches_shuffled(movie: Movie, seed: Seed, *, patch: tuple[int, int] = (9, 8)) -> Movie:
    """A movie cut into patches that have all changed places: the same textures, and no scene.

    Patches are made to fill the frame, at least ``patch`` large but of small frames a half; each stays whole through
    time. They are dealt out along a random circle, so that none is where it was. Rows and columns at the lower and
    right edge that do not fill a patch stay.

    Keeps every luminance, what moves and how within a patch, and local statistics up to the size of one. Destroys the
    arrangement: shapes larger than a patch and what scene this is. Adds seams, on one pixel in about four.

    Args:
        movie: Luminance 0..1, ``time height width``.
        seed: Stream for the places.
        patch: Least height and width of a patch in pixels.

    Raises:
        WrongUse: the frame is a single pixel.
    """
    _, height, width = movie.shape
    rows, columns = (min(max(side // least, 2), side) for side, least in zip((height, width), patch, strict=True))
    tall, wide = height // rows, width // columns
    if rows * columns < 2:
        raise WrongUse(f"a frame of {height}x{width} px does not hold two patches; leave this movie out.")
    places = [
        (slice(row * tall, (row + 1) * tall), slice(column * wide, (column + 1) * wide))
        for row in range(rows)
        for column in range(columns)
    ]
    circle = torch.randperm(len(places), generator=seed.torch()).tolist()
    shuffled = movie.clone()
    for here, there in zip(circle, circle[1:] + circle[:1], strict=True):
        shuffled[:, *places[here]] = movie[:, *places[there]]
    return shuffled
