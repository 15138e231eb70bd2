"""How much of the demo's mouse is in its neurons: bits, data share, where to linearise, and what it costs.

    python benchmarks/information.py --folder out/demo --out docs/results/information.md

Makes the demo's recording and encoder where they are not there yet. One whole clip is measured as `Identified` does by
default, for its cost; what is compared over clips is measured on their first 100 frames with fewer probes.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from animals import SEED, prepare
from cinecortex.demo import TEST_TIER
from cinecortex.encoders.base import Encoder
from cinecortex.finding import Finding
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.measure import measure_information
from cinecortex.identifiability.share import agreement, data_share
from cinecortex.information import Information
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.sample import Sample
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation, Trial
from cinecortex.validation.check import Question
from cinecortex.validation.identifiability_data_share import DataShareCheck
from cinecortex.validation.identifiability_information import LEAST_SHARE, InformationCheck
from cinecortex.validation.measured import INFORMATION
from cinecortex.validation.scoring import Scoring
from cinecortex.validation.stretch import STRETCH, first_frames
from page import command_of, publish, remarks, table

FEW = 25
QUICK = {"probes": 2, "steps": 12}
PROTOTYPE = "2,225 and 3,252 bits, 1,973 and 2,721 dimensions"
"""Of 1,000 neurons on two clips of 300 frames: another simulated mouse, its true encoder."""


def at_points(encoder: Encoder, trial: Trial) -> dict[str, Information]:
    """Information linearised at several movies; the truth is only here to tell which of the others to take."""
    inverter, observation = MAP(encoder=encoder), trial.observe()
    prior = inverter.prior
    assert isinstance(prior, Spectral)
    best = inverter.most_probable(observation, SEED).position
    truth = prior.whiten(trial.movie.to(best) - prior.statistics.mean) / prior.amplitude(best).square()

    def around(z: torch.Tensor) -> Linearised:
        return Linearised(encoder, inverter.likelihood, prior, observation, z)

    def drawn(at: Linearised, number: int) -> torch.Tensor:
        own = SEED / "draw" / number
        noise = torch.randn(1, *best.shape, generator=(own / "prior").torch())
        right = noise + at.pulled_back(at.curvature.draw(1, own / "data"))
        solved = at.solve(right, preconditioner=inverter.inverse_hessian(len(best)), tolerance=3e-3)
        return best + solved.vectors[0]

    first = drawn(around(best), 0)
    second = drawn(around(first), 1)
    settled, low, high = around(second).settled, -1.4, 1.4
    recorded = float(observation.response[settled].mean())
    for _ in range(8):
        middle = (low + high) / 2
        below = float(around(math.exp(middle) * second).rate[settled].mean()) < recorded
        low, high = (middle, high) if below else (low, middle)
    points = {
        "the truth": truth,
        "the most probable movie (MAP)": best,
        "a draw, from the curvature at the MAP": first,
        "a draw, from the curvature at that draw (`Identified`)": second,
        "that draw, scaled until rates have the mean of the responses": math.exp(middle) * second,
    }
    return {name: measure_information(around(z), **QUICK, seed=SEED / "points") for name, z in points.items()}


def hutchinson_error(encoder: Encoder, observation: Observation, z: torch.Tensor, probes: int) -> tuple[float, float]:
    """RMS error of the data share of a pixel: by random signs over pixels, and by made-up inferences, at one cost."""
    inverter = MAP(encoder=encoder)
    prior = inverter.prior
    assert isinstance(prior, Spectral)
    around = Linearised(encoder, inverter.likelihood, prior, observation, z)
    preconditioner = inverter.inverse_hessian(len(z))
    signs = torch.randint(0, 2, (probes, *z.shape), generator=(SEED / "signs").torch()) * 2.0 - 1.0
    right = torch.func.vmap(prior.whiten)(signs)
    solved = around.solve(right, preconditioner=preconditioner, tolerance=3e-3)
    taken = signs * around.pixels(right - solved.vectors)
    scatter = (taken / prior.pixel_variance(z)).var(0) / probes
    made_up = data_share(around, draws=probes, preconditioner=preconditioner, seed=SEED / "share")
    return float(scatter.mean().sqrt()), float(made_up.error.square().mean().sqrt())


def whole_clip(encoder: Encoder, trial: Trial) -> tuple[Reconstruction, float, float]:
    """One clip as by default: the answer, seconds of one core, seconds on the clock; the preconditioner made before."""
    inverter, observation = Identified(encoder=encoder), trial.observe()
    inverter._map.inverse_hessian(observation.frames)
    began, clock = time.process_time(), time.perf_counter()
    answer = inverter(observation, SEED)
    return answer, time.process_time() - began, time.perf_counter() - clock


def answers(encoder: Encoder, trials: Sequence[Trial], heard: torch.Tensor) -> dict[Question, Reconstruction]:
    """What the checks ask, of a population of which these are heard."""
    inverter = Identified(encoder=encoder, draws=8, **QUICK)
    found = {}
    for trial in trials:
        stretch = first_frames(trial, STRETCH)
        found[Question.of(stretch, method=INFORMATION)] = inverter(replace(stretch.observe(), heard=heard), SEED)
        print("trial", trial.trial_id, found[Question.of(stretch, method=INFORMATION)].ended, flush=True)
    return found


def findings(trials: Sequence[Trial], given: dict[Question, Reconstruction]) -> tuple[Finding, Finding]:
    """Of both checks."""
    scoring = Scoring(mask=next(iter(given.values())).mask)
    checks = InformationCheck(SEED, scoring), DataShareCheck(SEED, scoring)
    return checks[0].judge(trials, given), checks[1].judge(trials, given)


def by_frequency(share: Finding) -> str:
    """How the shares of bands compare with what came true, in a sentence."""
    clips = share.data["by frequency"]
    stated = np.array([[band["share"] for band in clip] for clip in clips]).mean(0)
    prior, error = (np.array([[band[name] for band in clip] for clip in clips]).sum(0) for name in ("prior", "error"))
    low = stated < LEAST_SHARE
    return (
        f"Over the {len(stated)} bands of frequency other than the mean luminance, the stated share correlates at "
        f"{np.corrcoef(stated, 1 - error / prior)[0, 1]:.2f} with the part of the prior's squared error that is taken "
        f"away. In the {int(low.sum())} bands with a share below {LEAST_SHARE:g} the error is "
        f"{error[low].sum() / prior[low].sum():.2f} of the prior's, in the others "
        f"{error[~low].sum() / prior[~low].sum():.2f}."
    )


def band_table(told: Sequence[Information]) -> list[str]:
    """Data share by frequency, mean over clips."""
    names = list(dict.fromkeys(band.spatial for band in told[0].bands))
    times = list(dict.fromkeys(band.temporal for band in told[0].bands))
    share = {
        (band.spatial, band.temporal): np.mean([one.bands[place].share for one in told])
        for place, band in enumerate(told[0].bands)
    }

    def label(edges: tuple[float, float], scale: float = 1.0) -> str:
        return f"to {edges[1] * scale:.2g}" if edges[1] else "0"

    rows = [
        [
            label(when, told[0].frame_rate_hz),
            *(f"{share[where, when]:.2f}" if (where, when) in share else "" for where in names),
        ]
        for when in times
    ]
    return table(["Hz \\ cycles/px", *map(label, names)], rows)


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/information.md"))
    parser.add_argument("--clips", type=int, default=10, help="clips that the checks judge")
    parser.add_argument("--points", type=int, default=5, help="clips on which points to linearise at are compared")
    options = parser.parse_args()

    recording, model = prepare(options.folder)
    encoder = model.session(recording.session_id)
    trials = recording.tier(TEST_TIER)[: options.clips]
    everyone = torch.ones(encoder.neurons, dtype=torch.bool)
    few = torch.zeros_like(everyone)
    few[torch.randperm(encoder.neurons, generator=(SEED / "few").torch())[:FEW]] = True

    points = [at_points(encoder, first_frames(trial, STRETCH)) for trial in trials[: options.points]]
    print([{name: round(one.bits) for name, one in point.items()} for point in points], flush=True)
    given = answers(encoder, trials, everyone)
    information, share = findings(trials, given)
    of_few, _ = findings(trials[: options.points], answers(encoder, trials[: options.points], few))
    stretch = first_frames(trials[0], STRETCH)
    observation = stretch.observe()
    at = Identified(encoder=encoder).around_a_draw(observation, SEED)
    errors = hutchinson_error(encoder, observation, at.position, 8)
    inverter = MAP(encoder=encoder)
    prior = inverter.prior
    assert isinstance(prior, Spectral)
    best = Linearised(
        encoder, inverter.likelihood, prior, observation, inverter.most_probable(observation, SEED).position
    )
    measured = data_share(best, draws=16, preconditioner=inverter.inverse_hessian(STRETCH), seed=SEED / "share")
    agreed = agreement(measured, Sample(encoder=encoder, draws=16)(observation, SEED), prior, draws=16)
    answer, core, clock = whole_clip(encoder, trials[0])
    whole = answer.information
    assert whole is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

    truth = np.array([point["the truth"].bits for point in points])
    rows = []
    for name in points[0]:
        bits = np.array([point[name].bits for point in points])
        logs = np.log(bits / truth)
        rows.append(
            [
                name,
                ", ".join(f"{each:.0f}" for each in bits),
                f"{math.exp(logs.mean()):.2f}",
                f"{math.exp(math.sqrt((logs**2).mean())):.2f}",
            ]
        )
    told = [one.information for one in given.values() if one.information is not None]
    mean = {
        name: np.mean(information.data[name])
        for name in ("bits", "dimensions", "share inside the mask, with luminance")
    }
    classes = share.data
    lines = [
        "## Where to linearise",
        "",
        *table(["bits around", "by clip", "of those at the truth, geometric mean", "typical factor off"], rows),
        "",
        "## What the checks say",
        "",
        *table(
            ["", "verdict", "value", "95 %", "clips"],
            [
                [name, one.verdict, f"{one.value:.3f}", f"{one.interval[0]:.3f} to {one.interval[1]:.3f}", str(one.n)]
                for name, one in (
                    (f"`identifiability.information`, {encoder.neurons} neurons", information),
                    (f"`identifiability.information`, {FEW} neurons", of_few),
                    (f"`identifiability.data_share`, {encoder.neurons} neurons", share),
                )
            ],
        ),
        "",
        f"Of {FEW} neurons: {of_few.notes}",
        "",
        f"Of the stated share: {share.notes}",
        "",
        f"## Data share by frequency, {encoder.neurons} neurons, mean over clips",
        "",
        *band_table(told),
    ]
    pooled = classes["correlation of stated share and part taken away, over pixels and all clips"]
    over = classes["correlation of predicted and realised squared error, over pixels"]
    strict = classes["correlation of predicted and realised squared error, over pixels and frames"]
    facts = [
        f"One clip of {whole.frames} frames and {whole.neurons} neurons, as by default: {core:.0f} s of one core "
        f"({clock:.0f} s on a machine shared with other work), peak memory of this whole run {peak:.1f} GB.",
        f"That clip: {whole.bits:.0f} +- {whole.bits_error:.0f} bits ({whole.bits_per_second:.0f} per second, "
        f"{whole.bits_per_neuron:.2f} per neuron), {whole.dimensions:.0f} +- {whole.dimensions_error:.0f} dimensions "
        f"of {whole.coordinates}. The prototype had {PROTOTYPE}, on another simulated mouse and with its true encoder.",
        f"Stretches of {STRETCH} frames: {mean['bits']:.0f} bits and {mean['dimensions']:.0f} dimensions in the mean. "
        f"Data share inside the mask, with luminance: {mean['share inside the mask, with luminance']:.2f}; on the "
        f"whole screen {np.mean(information.data['share of the screen, with luminance']):.2f}.",
        "The share outside the receptive fields is not 0 on this mouse. The prior correlates pixels across the screen, "
        "most of all by the mean luminance of a clip, and whoever sees a part knows something of the rest; "
        "[which way the data came](carried.md) tells the two apart.",
        "Correlation over pixels of the stated share with the part of the prior's squared error that the "
        "reconstruction takes away, both averaged over frames and clips, about the movies' own means: "
        + ("-" if pooled is None else f"{pooled:.2f}")
        + ". Of predicted with realised squared error, clip by clip: "
        f"{np.mean([x for x in over if x is not None]):.2f} over pixels (summed over frames) and "
        f"{np.mean([x for x in strict if x is not None]):.2f} over pixels and frames, in the mean: a single clip's "
        "error is where its content is.",
        by_frequency(share),
        f"RMS standard error of the share of one pixel on one frame from 8 solves: {errors[1]:.3f} by made-up "
        f"inferences, {errors[0]:.3g} by random signs over pixels (Hutchinson): movies are correlated over many "
        "pixels, and signs scatter with all that is beside the diagonal.",
        "A draw has the contrast of the training clips, and the bits around it are off where a clip has another. "
        "Scaling the draw until expected responses are as strong as recorded ones was tried (last row of the first "
        "table); it rests on mean responses, which drift in real recordings, and was not taken.",
        f"Fisher against 16 posterior draws at the same point: difference of the whole share {agreed.difference:+.3f} "
        f"+- {agreed.difference_error:.3f}; correlation {agreed.correlation:.2f} over pixels and frames, "
        f"{agreed.correlation_over_time:.2f} over pixels.",
    ]
    publish(
        options.out,
        "How much is in the neurons",
        [*lines, *remarks(facts)],
        command=command_of("information.py", parser, options),
        about=f"Information on the first {STRETCH} frames of clips, 2 probes of 12 steps, unless said otherwise.",
    )


if __name__ == "__main__":
    main()
