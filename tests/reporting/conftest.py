"""Folders as validations leave them, without a validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cinecortex.data import clip_identity
from cinecortex.data.shown import write_exhibit
from cinecortex.finding import Finding, Null
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

SIZE, FRAMES, BURN_IN = (9, 16), 24, 4
CHANNELS = ("pupil dilation", "running speed")
MASK = torch.ones(SIZE)
MASK[:3] = 0.2


@dataclass(frozen=True, eq=False)
class Made:
    shown: torch.Tensor
    said: torch.Tensor
    did: torch.Tensor

    def movie(self) -> torch.Tensor:
        return self.shown

    def response(self) -> torch.Tensor:
        return self.said

    def behavior(self) -> torch.Tensor:
        return self.did

    def clip_id(self) -> str:
        return clip_identity(self.shown)


def movie(seed: int) -> torch.Tensor:
    noise = torch.rand(FRAMES, *SIZE, generator=torch.Generator().manual_seed(seed))
    return noise.cumsum(0).sub(noise.cumsum(0).mean()).div(12).add(0.5).clamp(0, 1)


def trial(number: int, *, clip: int | None = None, session: str = "mouse") -> Trial:
    draw = torch.Generator().manual_seed(1000 + number)
    reader = Made(
        movie(number if clip is None else clip), torch.rand(FRAMES, 30, generator=draw), torch.rand(FRAMES, 2)
    )
    return Trial(str(number), session, "final_test_main", 30.0, SIZE, CHANNELS, reader)


def guess(shown: Trial, noise: float, seed: int, **more: torch.Tensor) -> Reconstruction:
    draw = torch.Generator().manual_seed(seed)
    wrong = noise * torch.randn(shown.movie.shape, generator=draw)
    return Reconstruction((shown.movie + wrong).clamp(0, 1), "converged", frame_passes=400, seconds=2.0, **more)


def findings() -> list[Finding]:
    clips = [0.5, 0.6, 0.4, 0.55, 0.45]
    rest: dict[str, Any] = {"level": 0.95, "n": 5, "unit": "clip", "rule": "above 0.05", "p": 0.03}
    data = {"intact": clips, "control": [0.0] * 5, "difference": clips, "threshold": 0.05}
    noise = {"share": [0, 0.5, 1], "score": [[0.6, 0.3, None]] * 5, "difference": clips, "needed": 12}
    null = Null(0.0, (-0.2, 0.2))
    return [
        Finding(
            "controls.no_neurons", "It listens.", "supported", "gain", 0.5, (0.4, 0.6), **rest, null=null, data=data
        ),
        Finding("perturbation.noise", "It fades.", "undecided", "fall", 0.1, (-0.1, 0.3), **rest, data=noise),
        Finding("perturbation.polarity", "Black is black.", "refuted", "alike", -0.3, (-0.4, -0.2), **rest),
        Finding("somebody.elses", "It flies.", "undecided", "height", float("nan"), (float("nan"),) * 2, **rest),
    ]


def leave(
    folder: Path,
    trials: Sequence[Trial],
    *,
    method: str = "map",
    noise: float = 0.1,
    changed: Mapping[str, Any] = {},
    measured: int = 2,
    shown: bool = True,
) -> Path:
    """What `validate` would have written."""
    folder.mkdir(parents=True)
    recording = {
        "session_id": trials[0].session_id,
        "source": "mouse",
        "fingerprint": f"recording of {trials[0].session_id}",
        "neurons": 1234,
        "simulated": True,
        "metadata": {"species": "in-silico mouse", "subject": "number 5", "simulated": "true"},
        "consent": "",
        "judged": [one.trial_id for one in trials],
    }
    content = {
        "schema": "cinecortex.findings/1",
        "recording": recording | dict(changed),
        "encoder": {"kind": "compact", "fingerprint": "encoder 7", "fitted": ["mouse"]},
        "method": {"name": method, "fingerprint": f"{method} 1", "settings": {"prior": "spectral"}},
        "summary": {"verdict": "supported", "sentence": f"It may be claimed of {method}."},
        "findings": [finding.to_json() for finding in findings()],
        "not_asked": {},
        "seed": 3,
        "command": "cinecortex validate mouse",
        "machine": "a machine",
        "spent": {"inversions": 40, "seconds": 600.0},
        "versions": {"cinecortex": "0.1.0"},
    }
    text = json.dumps(content, indent=1).replace("NaN", "null")
    (folder / "findings.json").write_text(text)
    if not shown:
        return folder
    share = torch.linspace(0, 1.1, FRAMES)[:, None, None].expand(FRAMES, *SIZE).contiguous()
    answers = {
        "judged": {one.trial_id: guess(one, noise, 1) for one in trials},
        "no_neurons": {one.trial_id: Reconstruction(torch.full_like(one.movie, 0.5), "gray") for one in trials},
        "neurons_shuffled": {one.trial_id: guess(one, 2.0, 2) for one in trials},
        "mean": {one.trial_id: guess(one, 3.0, 3) for one in trials},
        "ridge": {one.trial_id: guess(one, 0.4, 4) for one in trials},
        "information": {
            one.trial_id: guess(one, noise, 1, data_share=share, std=0.2 * (1.1 - share)) for one in trials[:measured]
        },
    }
    seen = [trials[-1].clip_id]
    write_exhibit(folder / "shown", trials, answers, mask=MASK, burn_in=BURN_IN, seen=seen, attrs={})
    return folder
