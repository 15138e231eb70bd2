"""A method's error bars on recorded clips, raw and recalibrated."""

from __future__ import annotations

import math

import pytest
import torch
from tests.validation.methods import trials

from cinecortex.errors import WrongUse
from cinecortex.identifiability.calibration import measure_calibration
from cinecortex.metrics.recalibration import Recalibration
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

VARIANCE, NOISE = 0.1**2 + 0.15**2 + 0.15**2, 0.01


class Narrow:
    """Right about every pixel, and half as sure of itself as its errors allow."""

    name = "narrow"

    def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
        share = VARIANCE / (VARIANCE + NOISE)
        told = torch.where(observation.heard, share * (observation.response / 10 - 0.5), 0.0)
        std = torch.where(observation.heard, 0.5 * math.sqrt(share * NOISE), math.sqrt(VARIANCE))
        mask = torch.ones(observation.frame_size)
        mask[0] = 0.0
        size = observation.frame_size
        return Reconstruction(
            0.5 + told.unflatten(1, size), "tested", mask=mask, std=std.expand(told.shape).unflatten(1, size).clone()
        )


def test_raw_recalibrated_and_prior_stand_side_by_side() -> None:
    told: list[tuple[int, int, str]] = []
    wider = Recalibration(temperature=2.0, gain=1.0, level=0.9, raw=0.6, clips=5)
    found = measure_calibration(
        Narrow(), trials(12), seed=Seed(1), recalibration=wider, progress=lambda *step: told.append(step)
    )
    assert set(found) == {"raw", "recalibrated", "prior only"}
    # Half the right spread: 2 Phi(1.645 / 2) - 1.
    assert found["raw"].coverage.value == pytest.approx(0.589, abs=0.03)
    assert found["recalibrated"].coverage.value == pytest.approx(0.9, abs=0.02)
    assert found["recalibrated"].sharpness.value > found["raw"].sharpness.value
    assert found["recalibrated"].skill is not None
    assert found["recalibrated"].skill.value == pytest.approx(1 - math.sqrt(NOISE / (VARIANCE + NOISE)), abs=0.04)
    assert found["prior only"].skill is not None
    assert found["prior only"].skill.value == 0
    assert told[-1] == (12, 12, "trial 11")
    assert set(measure_calibration(Narrow(), trials(2), seed=Seed(1))) == {"raw", "prior only"}


def test_the_mask_of_the_answers_counts_unless_another_is_given() -> None:
    shown = trials(3)
    own = measure_calibration(Narrow(), shown, seed=Seed(1))["raw"]
    mask = torch.ones(4, 5)
    mask[0] = 0.2
    assert measure_calibration(Narrow(), shown, seed=Seed(1), mask=mask)["raw"] == own
    assert measure_calibration(Narrow(), shown, seed=Seed(1), mask=torch.ones(4, 5))["raw"] != own


def test_clips_of_several_lengths_or_none_are_refused() -> None:
    for shown in ([], trials(2, lengths=[20, 24])):
        with pytest.raises(WrongUse, match="one length"):
            measure_calibration(Narrow(), shown, seed=Seed(1))
