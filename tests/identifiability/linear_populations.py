"""Random linear-Gaussian populations whose information is known exactly, and how often an extrapolation holds it.

    python -m tests.identifiability.linear_populations 240

says how often over more populations than a test can afford.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from cinecortex.identifiability.extrapolation import extrapolate, scaled_spectrum, scatter_of
from cinecortex.seeds import Seed

NEURONS, RECORDED = 800, (25, 50, 100, 200)
"""How many there are, and of how many subsets are measured; the largest subset is all that was recorded."""
ORDERS = 4


@dataclass(frozen=True, eq=False)
class Random:
    """Localised, oriented receptive fields of a one-dimensional screen under a prior with a power-law spectrum.

    How steep the spectrum is, how much of the screen the population covers, how wide and how fine receptive fields
    are, how noisy neurons are and how unlike each other in that: all drawn anew for each population.
    """

    whitened: np.ndarray
    """What each neuron tells of each coordinate of the prior, in units of its noise, ``neuron coordinate``."""

    @staticmethod
    def draw(seed: Seed) -> Random:
        random = seed.numpy()
        pixels = int(random.integers(40, 160))
        place = (np.arange(pixels) + 0.5) / pixels
        frequency = np.arange(pixels)
        amplitude = (1 + frequency) ** -random.uniform(0.3, 1.5)
        waves = np.cos(np.pi * np.outer(frequency, place)) * math.sqrt(2 / pixels)
        waves[0] /= math.sqrt(2)
        centre = random.uniform(0, random.uniform(0.2, 1.0), NEURONS)
        width = np.exp(random.normal(np.log(random.uniform(0.01, 0.1)), 0.4, NEURONS))
        tuning = np.exp(random.normal(np.log(random.uniform(2, 30)), 0.5, NEURONS))
        phase = random.uniform(0, 2 * np.pi, NEURONS)
        away = place - centre[:, None]
        fields = np.exp(-((away / width[:, None]) ** 2) / 2)
        fields *= np.cos(2 * np.pi * tuning[:, None] * away + phase[:, None])
        fields /= np.linalg.norm(fields, axis=1, keepdims=True) + 1e-12
        signal = np.exp(random.normal(np.log(10 ** random.uniform(-1.0, 1.0)), random.uniform(0.3, 1.2), NEURONS))
        scale = amplitude / np.sqrt((amplitude**2).mean())
        return Random(np.sqrt(signal)[:, None] * (fields @ waves.T) * scale)

    def spectrum(self, neurons: np.ndarray) -> np.ndarray:
        """Eigenvalues of the Fisher information of some neurons."""
        matrix = self.whitened[neurons]
        values: np.ndarray = np.linalg.eigvalsh(matrix.T @ matrix).clip(0)
        return values


def bits(values: np.ndarray) -> float:
    """``log2 det(I + F) / 2``."""
    return float(np.log2(1 + values).sum() / 2)


def share(values: np.ndarray) -> float:
    """Mean over coordinates of what is data, ``F / (1 + F)``."""
    return float((values / (1 + values)).mean())


@dataclass(frozen=True)
class Foretold:
    """Whether the intervals held all neurons' bits and data share, and how wide they were."""

    bits: bool
    share: bool
    width: float


def foretold(seed: Seed) -> Foretold:
    """Extrapolate from the recorded neurons of one random population to four times as many."""
    population = Random.draw(seed / "population")
    orders = [
        (seed / "order" / n).numpy().permutation(RECORDED[-1]) for n in range(ORDERS)
    ]  # neurons are in no order, so that the first are as good as any
    spectra = [[population.spectrum(order[:size]) for size in RECORDED] for order in orders]
    whole = population.spectrum(np.arange(NEURONS))
    last = spectra[0][-1].tolist()
    inside = {}
    width = math.nan
    for name, measured in (("bits", bits), ("share", share)):
        values = np.array([[measured(spectrum) for spectrum in order] for order in spectra])
        least = scaled_spectrum(last, [1.0] * len(last), NEURONS / RECORDED[-1])
        prediction = extrapolate(
            RECORDED,
            values.mean(0).tolist(),
            [0.0] * len(RECORDED),
            quantity=name,
            scatter=scatter_of(RECORDED, values, population=RECORDED[-1], quantity=name),
            orders=ORDERS,
            floor=([NEURONS], [least]) if name == "bits" else ((), ()),
            seed=seed / "draws",
        ).at(NEURONS)
        inside[name] = prediction.low <= measured(whole) <= prediction.high
        width = prediction.high / prediction.low if name == "bits" else width
    return Foretold(inside["bits"], inside["share"], width)


def main() -> None:
    """Coverage over as many populations as asked for."""
    found = [foretold(Seed(70) / number) for number in range(int(sys.argv[1]))]
    widths = np.array([one.width for one in found])
    print(
        f"{len(found)} populations: the 90 % interval held the bits of {np.mean([one.bits for one in found]):.3f} and "
        f"the data share of {np.mean([one.share for one in found]):.3f}; its upper end was {np.median(widths):.2f} "
        f"times the lower (median; {np.quantile(widths, 0.9):.2f} in 9 of 10)."
    )


if __name__ == "__main__":
    main()
