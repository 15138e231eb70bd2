"""What can be resolved: gratings and noise of every scale shown in silico, what comes back, and how much of it is data.

    python benchmarks/resolution.py --folder out/bench --watches out/demo/validation/held-out/compact-0

Makes the demo's recording and encoder where they are not there yet, and where no encoder that watches is given, one of
another seed. `map` inverts the one; the other watches, with the noise that its observation model measured and without.
With ``--screen-deg`` (degrees of visual angle that the width of the movies fills) frequencies are in cycles per degree.
The demo's mouse has no screen, and none is guessed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import load_model, save_model
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.train import fit_model
from cinecortex.identifiability.grating_share import grating_share
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.resolution import Cell, Point, Resolution, measure_resolution
from cinecortex.inversion.map import MAP
from cinecortex.metrics.cutoff import Cutoff, cutoff
from cinecortex.recording import Recording, Trial
from cinecortex.stimuli.probes import Grating, Noise, gratings, noises
from cinecortex.stimuli.screen import ScreenGeometry, screen_of
from cinecortex.tensors import Mask
from cinecortex.validation.noisy_encoder import NoiselessEncoder, NoisyEncoder
from cinecortex.validation.resolution_limits import ResolutionLimits
from cinecortex.validation.stretch import STRETCH, first_frames
from page import command_of, publish, remarks, table

NOISY, NOISELESS = "noisy", "noiseless"
SOLVED = {"iterations": 30, "tolerance": 3e-3}
"""To about a hundredth of a share."""
ABOUT = (
    "Movies of 100 frames, of which the last 70 and the pixels inside the mask count. Each cell: with response noise / "
    "without."
)


def said(number: float | None, digits: int = 2) -> str:
    """As tables show it; nothing to score is a dash."""
    return "-" if number is None or math.isnan(number) else f"{round(number, digits) + 0.0:.{digits}f}"


def grid_of(
    found: Resolution, kind: str, value: Callable[[Point], float], units: tuple[str, str], factors: tuple[float, float]
) -> list[str]:
    """A table: one row for each place in time, one column for each in space, noisy / noiseless."""
    points = {animal: {(p.spatial, p.temporal): p for p in found.points(kind, animal)} for animal in (NOISY, NOISELESS)}
    columns, rows = (sorted({place[axis] for place in points[NOISY]}) for axis in (0, 1))
    header = [f"{units[1]} \\ {units[0]}", *(f"{factors[0] * column:.3g}" for column in columns)]
    body = [
        [
            f"{factors[1] * row:.3g}",
            *(" / ".join(said(value(points[animal][column, row])) for animal in points) for column in columns),
        ]
        for row in rows
    ]
    return table(header, body)


def shares_of(
    encoder: Encoder, trials: Sequence[Trial], probes: Sequence[Grating], mask: Mask
) -> dict[tuple[float, float], float]:
    """Data share of every grating within the mask: mean over clips and directions."""
    inverter, measurer = MAP(encoder=encoder), Identified(encoder=encoder)
    found: dict[tuple[float, float], list[float]] = {}
    for trial in trials:
        around = measurer.around_a_draw(first_frames(trial, STRETCH).observe(), SEED / "share" / trial.trial_id)
        preconditioner = inverter.inverse_hessian(STRETCH)
        shares = grating_share(around, probes, mask=(mask >= 0.5).float(), preconditioner=preconditioner, **SOLVED)
        for probe, share in zip(probes, shares, strict=True):
            found.setdefault(probe.axes, []).append(share)
        print(f"data share of gratings, trial {trial.trial_id}", flush=True)
    return {axes: statistics.fmean(shares) for axes, shares in found.items()}


def limits(shares: dict[tuple[float, float], float], axis: int) -> dict[float, Cutoff]:
    """Where the share falls below one half along an axis, for each place on the other."""
    others = sorted({axes[1 - axis] for axes in shares})
    found = {}
    for other in others:
        curve = sorted((axes[axis], share) for axes, share in shares.items() if axes[1 - axis] == other)
        found[other] = cutoff([place for place, _ in curve], [share for _, share in curve])
    return found


def share_lines(shares: dict[tuple[float, float], float], found: Resolution) -> list[str]:
    """Table of the shares, with the limits along both axes."""
    (space, per_px), (hertz, rate) = found.units
    columns = sorted({axes[0] for axes in shares})
    across, along = limits(shares, 0), limits(shares, 1)
    header = [f"{hertz} \\ {space}", *(f"{per_px * column:.3g}" for column in columns), "one half"]
    rows = [
        [f"{rate * row:.3g}", *(said(shares[column, row]) for column in columns), ended(across[row], per_px)]
        for row in sorted({axes[1] for axes in shares})
    ]
    rows.append(["one half", *(ended(along[column], rate) for column in columns), ""])
    return table(header, rows)


def ended(limit: Cutoff, per: float) -> str:
    """A limit as tables show it."""
    return {
        "at": f"{per * limit.frequency:.3g}",
        "below": f"below {per * limit.frequency:.3g}",
        "above": f"above {per * limit.frequency:.3g}",
    }[limit.where]


def lines_of(found: Resolution, shares: dict[tuple[float, float], float], facts: Sequence[str]) -> list[str]:
    """The page."""
    (space, per_px), (hertz, rate) = found.units
    units, factors = (space, hertz), (per_px, rate)
    lengths, ones = ("px", "frames"), (1.0, 1.0)
    lines: list[str] = []
    if found.points(Grating.kind, NOISY):
        for title, value in (
            ("modulation transfer", lambda point: point.modulation),
            ("transfer in place", lambda point: point.transfer),
            ("movie correlation", lambda point: point.correlation),
        ):
            lines += [f"## Drifting gratings: {title}", "", *grid_of(found, Grating.kind, value, units, factors), ""]
    if shares:
        lines += ["## Drifting gratings: data share within the mask", "", *share_lines(shares, found), ""]
    if found.points(Noise.kind, NOISY):
        for title, value in (
            ("movie correlation", lambda point: point.correlation),
            ("transfer in place", lambda point: point.transfer),
            ("correlation with noise of the same lengths that was not shown", lambda p: _or_nan(p.unshown)),
        ):
            lines += [f"## Gaussian noise: {title}", "", *grid_of(found, Noise.kind, value, lengths, ones), ""]
    return [*lines, *remarks(facts)]


def finding_lines(file: Path) -> list[str]:
    """What the check said, by the findings of a validation."""
    (found,) = (one for one in json.loads(file.read_text())["findings"] if one["id"] == ResolutionLimits.id)
    rows = [
        [name, arm["verdict"], f"{arm['value']:.3f}", "{:.3f} to {:.3f}".format(*arm["interval"]), str(arm["n"])]
        for name, arm in found["data"]["arms"].items()
    ]
    header = ["arm", "verdict", "value", "95 %", "movies"]
    return [f"## `{ResolutionLimits.id}`: {found['verdict']}", "", *table(header, rows), "", found["notes"], ""]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def watching(recording: Recording, given: Path | None, folder: Path) -> Encoder:
    """The encoder that watches: another one than is inverted."""
    own = given or folder / "watches"
    if not own.exists():
        save_model(fit_model([recording], settings=FitSettings(epochs=6), seed=SEED / "watches"), own)
    return load_model(own).session(recording.session_id)


def main() -> None:
    """Show everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument(
        "--watches", type=Path, help="an encoder that is not the one inverted; by default one is fitted"
    )
    parser.add_argument("--frequencies", type=float, nargs="*", default=[1 / 32, 1 / 16, 1 / 8, 1 / 4, 2 / 5])
    parser.add_argument("--hertz", type=float, nargs="*", default=[0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
    parser.add_argument("--directions", type=float, nargs="*", default=[0.0, 90.0, 180.0, 270.0])
    parser.add_argument("--lengths", type=float, nargs="*", default=[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    parser.add_argument("--repeats", type=int, default=2, help="of each noise; of gratings there are directions")
    parser.add_argument("--clips", type=int, default=3, help="recorded clips whose data share is measured")
    parser.add_argument("--findings", type=Path, help="findings.json of a validation that asked resolution.limits")
    parser.add_argument("--screen-deg", type=float, help="degrees that the width of the movies filled")
    parser.add_argument("--out", type=Path, default=Path("docs/results/resolution.md"))
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    watcher = watching(recording, options.watches, options.folder)
    animals = {NOISY: NoisyEncoder(watcher).watch, NOISELESS: NoiselessEncoder(watcher).watch}
    trials = recording.tier(TEST_TIER)
    like = [first_frames(trial, STRETCH).observe() for trial in trials]
    width, rate = recording.frame_size[1], recording.frame_rate_hz
    screen = ScreenGeometry(width, options.screen_deg) if options.screen_deg else screen_of(recording.metadata, width)
    waves = gratings(options.frequencies, [hertz / rate for hertz in options.hertz], options.directions)
    inverter = MAP(encoder=encoder)
    shared = {
        "like": like,
        "frames": STRETCH,
        "mask": inverter.mask,
        "screen": screen,
        "progress": lambda done, total, name: print(f"{done} of {total}: {name}", flush=True),
        "seed": SEED / "resolution",
    }
    told = finding_lines(options.findings) if options.findings else []
    cells: list[Cell] = []
    shares: dict[tuple[float, float], float] = {}

    def write() -> None:
        found = Resolution(tuple(cells), STRETCH, rate, screen)
        facts = [
            f"Simulated mouse of {len(recording.neurons):,} neurons. `map` inverts one encoder; another one, which had "
            "nothing to do with it, watches.",
            f"The mask holds {int((inverter.mask >= 0.5).sum())} of {inverter.mask.numel()} pixels. Data share: mean "
            f"over the first {STRETCH} frames of {min(options.clips, len(trials))} recorded clips and over directions, "
            "of what a detector of the grating within the mask would measure; it needs no animal in silico.",
        ]
        command = command_of("resolution.py", parser, options)
        publish(
            options.out, "What can be resolved", [*told, *lines_of(found, shares, facts)], command=command, about=ABOUT
        )

    # The page is written after every part, so that a run that was stopped leaves what it knows.
    cells += measure_resolution(inverter, animals, waves, **shared).cells
    write()
    if options.clips:
        shares |= shares_of(encoder, trials[: options.clips], waves, inverter.mask)
        write()
    cells += measure_resolution(
        inverter, animals, noises(options.lengths, options.lengths), repeats=options.repeats, **shared
    ).cells
    write()


if __name__ == "__main__":
    main()
