"""Do fitted cells look like the cells they were fitted to? In-silico physiology against the simulated truth.

    python benchmarks/physiology.py --folder out/bench --out docs/results/physiology.md

Measures receptive fields and tuning of the encoder of the demo's recording, with gaze at rest, and compares them with
what the simulation says of each neuron. The same measurement is made on the mouse itself (its noiseless rates), which
shows what of an error is the measurement's, and against the truth of shuffled neurons, which shows what no knowledge of
a neuron would give. The rules by which neurons are chosen were fixed before the first comparison.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from animals import SEED, prepare
from cinecortex.encoders.train import session_facts
from cinecortex.encoders.wrap import Wrapped, wrap
from cinecortex.physiology.measure import ORIENTED, Physiology, measure_physiology
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import BEHAVIOR_CHANNELS, resting_behavior
from cinecortex.simulation.mouse import Mouse
from page import command_of, publish, remarks

WELL_FITTED = 0.7
"""Least correlation with repeated presentations, as a fraction of the noise ceiling; the ceiling at least 0.1."""

TRULY_ORIENTED, TRULY_DIRECTIONAL = 0.3, 1 / 3
"""Least selectivity of the linear filters of a neuron that has an orientation, or a direction, to be found."""

MOUSE_MEMORY = 40
"""Frames after which the mouse has all but forgotten (its slowest stage, adaptation, has a time constant of 0.25 s)."""

Truth = dict[str, np.ndarray]


class Rates(nn.Module):
    """The mouse as a network: its noiseless rates, movie by movie."""

    def __init__(self, mouse: Mouse) -> None:
        super().__init__()
        self.mouse = mouse

    def forward(self, movies: Tensor, behaviors: Tensor) -> Tensor:
        """``batch time neuron``."""
        return torch.stack([self.mouse.rate(*trial) for trial in zip(movies, behaviors, strict=True)])


def as_encoder(mouse: Mouse) -> Wrapped:
    """The mouse, wrapped."""
    return wrap(
        Rates(mouse),
        neurons=mouse.neurons,
        frame_size=mouse.frame_size,
        frame_rate_hz=mouse.frame_rate_hz,
        memory=MOUSE_MEMORY,
        behavior_channels=BEHAVIOR_CHANNELS,
        behavior_at_rest=resting_behavior(1)[0].tolist(),
        check=False,
    )


@dataclass(frozen=True, eq=False)
class Errors:
    """How far what was measured lies from the truth, one number per neuron."""

    down_px: np.ndarray
    across_px: np.ndarray
    centre_px: np.ndarray
    orientation_deg: np.ndarray
    direction_deg: np.ndarray
    spatial_octaves: np.ndarray
    temporal_octaves: np.ndarray

    @staticmethod
    def of(found: Physiology, truth: Truth) -> Errors:
        """Errors are never negative; angles are compared on circles of 180 (orientation) and 360 degrees."""

        def octaves(name: str) -> np.ndarray:
            return np.abs(np.log2(getattr(found, name).numpy() / truth[name]))

        offset = found.center_px.numpy() - truth["rf_center_px"]
        return Errors(
            *np.abs(offset.T),
            np.hypot(*offset.T),
            apart(found.orientation_deg.numpy(), truth["orientation_deg"], 180),
            apart(found.direction_deg.numpy(), truth["direction_deg"], 360),
            octaves("spatial_frequency_cycles_per_px"),
            octaves("temporal_frequency_hz"),
        )


def apart(one: np.ndarray, other: np.ndarray, period: float) -> np.ndarray:
    """Difference on a circle, 0 to half of its period."""
    return np.abs((one - other + period / 2) % period - period / 2)


def median(values: np.ndarray, seed: Seed) -> str:
    """Median over neurons with its 95 % bootstrap interval."""
    values = values[~np.isnan(values)]
    drawn = np.median(seed.numpy().choice(values, (2000, len(values))), axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.median(values):.2f} [{low:.2f}, {high:.2f}]"


@dataclass(frozen=True, eq=False)
class Groups:
    """Which neurons are compared, by rules that were fixed before."""

    fitted: np.ndarray
    oriented: np.ndarray
    directional: np.ndarray
    complex_cell: np.ndarray

    @staticmethod
    def of(facts: Mapping[str, Any], truth: Truth) -> Groups:
        """From the scores stored with the encoder and the truth stored with the recording."""
        scored, ceiling = (
            np.array([np.nan if value is None else value for value in facts[name]])
            for name in ("repeats_correlation", "repeats_ceiling")
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            fitted = (ceiling >= 0.1) & (scored / ceiling >= WELL_FITTED)
        oriented = truth["orientation_selectivity"] >= TRULY_ORIENTED
        directional = oriented & (truth["direction_selectivity"] >= TRULY_DIRECTIONAL)
        return Groups(fitted, oriented, directional, truth["is_complex"])

    def named(self) -> dict[str, np.ndarray]:
        """All well-fitted neurons, and simple and complex cells apart."""
        return {
            "all": self.fitted,
            "simple": self.fitted & ~self.complex_cell,
            "complex": self.fitted & self.complex_cell,
        }

    def row(self, name: str, group: str, errors: Errors) -> str:
        """One line of the table."""
        places = self.named()[group]
        tuned, moved = places & self.oriented, places & self.directional
        seed = SEED / "bootstrap" / name / group
        cells = [
            f"{name}, {group}",
            f"{places.sum()}",
            median(errors.centre_px[places], seed),
            f"{np.median(errors.down_px[places]):.2f}, {np.median(errors.across_px[places]):.2f}",
            f"{tuned.sum()}",
            median(errors.orientation_deg[tuned], seed),
            f"{np.quantile(errors.orientation_deg[tuned], 0.9):.1f}",
            f"{moved.sum()}",
            median(errors.direction_deg[moved], seed),
            f"{100 * np.mean(errors.direction_deg[moved] > 90):.0f} %",
        ]
        return "| " + " | ".join(cells) + " |"


HEAD = [
    "| cells | neurons | centre error, px | down, across | oriented | orientation error, deg | 90 % below "
    "| directional | direction error, deg | opposite |",
    "|---|---|---|---|---|---|---|---|---|---|",
]


def notes(groups: Groups, truth: Truth, found: Physiology, itself: Physiology) -> list[str]:
    """What stands below the table."""
    fitted, tuned = groups.fitted, groups.fitted & groups.oriented
    simple, complex_cell = groups.named()["simple"], groups.named()["complex"]
    seen = fitted & (found.orientation_selectivity.numpy() >= ORIENTED)
    errors, floor = Errors.of(found, truth), Errors.of(itself, truth)

    def of(one: Physiology, name: str, neurons: np.ndarray) -> float:
        return float(np.nanmedian(getattr(one, name).numpy()[neurons]))

    def agreement(one: Physiology, name: str) -> float:
        return float(np.corrcoef(getattr(one, name).numpy()[fitted], truth[name][fitted])[0, 1])

    hz = [of(one, "temporal_frequency_hz", tuned) for one in (found, itself)]
    return [
        f"{len(fitted)} simulated neurons, {fitted.sum()} of them well fitted: correlation with repeated presentations "
        f"at least {WELL_FITTED:g} of a noise ceiling of 0.1 or more.",
        f"Oriented: selectivity of the neuron's linear filters at least {TRULY_ORIENTED:g}; directional: at least "
        f"{TRULY_DIRECTIONAL:.2f} besides. Chosen by what the encoder shows instead (selectivity at least "
        f"{ORIENTED:g}, {seen.sum()} neurons): orientation error {np.median(errors.orientation_deg[seen]):.2f}.",
        "The truth is the planned centre of each receptive field, which the afferents that chance gives it do not keep "
        "exactly, and the best of 36 directions. The rows of the mouse itself show what such a truth lets one reach.",
        f"Spatial frequency: median error {np.nanmedian(errors.spatial_octaves[tuned]):.2f} octaves (the mouse itself "
        f"{np.nanmedian(floor.spatial_octaves[tuned]):.2f}). Temporal frequency: "
        f"{np.nanmedian(errors.temporal_octaves[tuned]):.2f} ({np.nanmedian(floor.temporal_octaves[tuned]):.2f}). "
        f"Gratings of 1 to 8 Hz were shown; the median preference is {hz[0]:.1f} Hz in the encoder, {hz[1]:.1f} Hz in "
        f"the mouse and {np.median(truth['temporal_frequency_hz'][tuned]):.1f} Hz in its linear filters.",
        "Correlation of measured and true selectivity over well-fitted neurons: orientation "
        f"{agreement(found, 'orientation_selectivity'):.2f} (the mouse itself "
        f"{agreement(itself, 'orientation_selectivity'):.2f}), direction "
        f"{agreement(found, 'direction_selectivity'):.2f} ({agreement(itself, 'direction_selectivity'):.2f}).",
        f"Medians of simple and complex cells: F1/F0 {of(found, 'modulation_ratio', simple):.2f} and "
        f"{of(found, 'modulation_ratio', complex_cell):.2f}, linear share {of(found, 'linear_share', simple):.2f} and "
        f"{of(found, 'linear_share', complex_cell):.2f}.",
    ]


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/physiology.md"))
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    stored = options.folder / "mouse" / "meta" / "simulation"
    mouse = Mouse.draw(neurons=encoder.neurons, seed=SEED / "simulate" / "mouse")
    truth = mouse.truth()
    if not all(
        np.array_equal(value, np.load(stored / f"{name}.npy", allow_pickle=False)) for name, value in truth.items()
    ):
        raise SystemExit(f"{options.folder / 'mouse'} is not the mouse of the demo; name another folder.")

    began = time.perf_counter()
    found = measure_physiology(encoder, seed=SEED / "physiology")
    seconds = time.perf_counter() - began
    print(found, f"{seconds:.0f} s", flush=True)
    itself = measure_physiology(as_encoder(mouse), seed=SEED / "physiology")
    groups = Groups.of(session_facts(model, recording.session_id), truth)
    order = (SEED / "shuffle").numpy().permutation(encoder.neurons)
    by_chance = Errors.of(found, {name: value[order] for name, value in truth.items()})
    lines = [
        *(groups.row("encoder", group, Errors.of(found, truth)) for group in groups.named()),
        *(groups.row("the mouse itself", group, Errors.of(itself, truth)) for group in groups.named()),
        groups.row("encoder, truth of shuffled neurons", "all", by_chance),
    ]
    found_too = [*notes(groups, truth, found, itself), f"The measurement of the encoder took {seconds:.0f} s."]
    publish(
        options.out,
        "In-silico physiology against the simulated truth",
        [*HEAD, *lines, *remarks(found_too)],
        command=command_of("physiology.py", parser, options),
        about="Medians over neurons, 95 % bootstrap intervals.",
    )


if __name__ == "__main__":
    main()
