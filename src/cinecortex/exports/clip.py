"""What is exported: one variable of one trial of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from cinecortex.data import read_result, words
from cinecortex.data.faults import Fault
from cinecortex.data.findings import FINDINGS
from cinecortex.errors import BadData, WrongUse
from cinecortex.report.encoding import Frames, eight_bit

AXES = ("trial", "time", "height", "width")
MOVIE = "movie"
TOPS = {"std": 0.25, "data_std": 0.25, "model_std": 0.25}
"""Values drawn as white where it is not 1: a standard deviation of 0.25 is as good as knowing nothing."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One variable of one trial, and where it comes from.

    Attributes:
        trial_id, session_id: Which trial.
        variable: What the values are, such as ``movie`` or ``std``.
        values: As they are stored, ``time height width``.
        frame_rate_hz: Frames per second.
        top: The value that is drawn as white.
        facts: Settings, seed, versions, fingerprints, whether simulated, consent: what JSON can hold.
    """

    trial_id: str
    session_id: str
    variable: str
    values: Float[np.ndarray, "time height width"]
    frame_rate_hz: float
    top: float
    facts: Mapping[str, Any]

    @property
    def levels(self) -> Frames:
        """The values in 8 bits: 0 is 0, ``top`` is 255, what lies beyond is cut, halves are rounded to even."""
        return eight_bit(torch.from_numpy(self.values).double() / self.top)

    @property
    def scale(self) -> str:
        """How `levels` come from the values, in words."""
        return f"gray level = 255 * {self.variable} / {self.top:g}, rounded, cut to 0..255 (0 is black, 255 white)"

    @property
    def title(self) -> str:
        """What it is, in a line; says so where the animal is a simulation."""
        simulated = "SIMULATED " if self.facts["simulated"] == "true" else ""
        return f"{simulated}{self.session_id} trial {self.trial_id}: {self.variable} by {self.facts['method']}"


@dataclass(frozen=True, eq=False)
class Result:
    """A result store, opened to be exported.

    Attributes:
        path: Where it is.
        dataset: Its arrays, read when they are used.
        given_rate_hz: Frame rate to believe where the store does not say its own.
    """

    path: Path
    dataset: xr.Dataset
    given_rate_hz: float | None = None

    @staticmethod
    def open(path: Path, given_rate_hz: float | None = None) -> Result:
        """Open the store.

        Raises:
            BadData: there is no result.
            WrongUse: findings are there instead.
        """
        if (path / FINDINGS).is_file() and not (path / "zarr.json").exists():
            raise WrongUse(f"{path} holds findings, which go with --format csv or svg; name a result (.zarr) instead.")
        return Result(path, read_result(path), given_rate_hz)

    @property
    def trials(self) -> tuple[str, ...]:
        """Ids of its trials, in order."""
        return words(self.dataset, "trial_id")

    @property
    def sessions(self) -> tuple[str, ...]:
        """The session of each trial."""
        return words(self.dataset, "session_id")

    @property
    def variables(self) -> tuple[str, ...]:
        """What it has for each pixel and frame, the movie first."""
        found = [str(name) for name, values in self.dataset.data_vars.items() if values.dims == AXES]
        return tuple(sorted(found, key=lambda name: (name != MOVIE, name)))

    def places(self, trials: Sequence[str] | None) -> list[int]:
        """Where these trials are in the result; by default all of them.

        Raises:
            WrongUse: one is not there.
        """
        if trials is None:
            return list(range(len(self.trials)))
        for name in trials:
            if name not in self.trials:
                raise WrongUse(f"--trials {name!r} is not in {self.path}; it has {', '.join(self.trials)}.")
        return [place for place, name in enumerate(self.trials) if name in trials]

    def refuse(self, places: Sequence[int], variable: str) -> None:
        """Before any work is done: whether this variable of these trials can be exported.

        Raises:
            WrongUse: there is no such variable.
            BadData: a trial has none, or the frame rate is not known.
        """
        if variable not in self.variables:
            raise WrongUse(f"--variable {variable!r} is not in {self.path}; it has {', '.join(self.variables)}.")
        for place in places:
            self._rate(place)
            if not self.has(place, variable):
                raise BadData(
                    f"{self.path} has no {variable} for trial {self.trials[place]}; choose others with --trials."
                )

    def clip(self, place: int, variable: str, top: float | None = None) -> Clip:
        """One variable of the trial at this place, which `refuse` did not refuse.

        Raises:
            BadData: a pixel is not a number.
        """
        one = self.dataset.isel(trial=place)
        values = one[variable].isel(time=slice(int(one["frames"]))).values
        if not np.isfinite(values).all():
            raise Fault(
                self.path, f"has NaN in the {variable} of trial {self.trials[place]}", "run the inversion again"
            )
        return Clip(
            trial_id=self.trials[place],
            session_id=self.sessions[place],
            variable=variable,
            values=values,
            frame_rate_hz=self._rate(place),
            top=TOPS.get(variable, 1.0) if top is None else top,
            facts=self._facts(place, variable, values.shape),
        )

    def has(self, place: int, variable: str) -> bool:
        """Whether the trial at this place has this variable at all."""
        frame = self.dataset[variable].isel(trial=place, time=0)
        return bool(np.isfinite(frame.values).any())

    def _rate(self, place: int) -> float:
        if "frame_rate_hz" in self.dataset:
            return float(self.dataset["frame_rate_hz"][place])
        if self.given_rate_hz is None:
            raise Fault(self.path, "does not say its frame rate (an earlier version wrote it)", "add --frame-rate-hz")
        return self.given_rate_hz

    def _facts(self, place: int, variable: str, shape: tuple[int, ...]) -> dict[str, Any]:
        attrs = {str(name): value for name, value in self.dataset.attrs.items()}
        # What must not be overlooked goes first; an older result may not say it.
        known = {name: attrs.pop(name, "unknown") for name in ("simulated", "species", "subject")}
        return {
            **known,
            "method": _method(attrs),
            "consent": attrs.pop("consent", ""),
            "variable": variable,
            "session_id": self.sessions[place],
            "trial_id": self.trials[place],
            "clip_id": words(self.dataset, "clip_id")[place],
            "frames": shape[0],
            "frame_size": list(shape[1:]),
            "frame_rate_hz": self._rate(place),
            "ended": words(self.dataset, "ended")[place],
            "result": self.path.name,
            "result_attributes": attrs,
        }


def _method(attrs: Mapping[str, Any]) -> str:
    """Who made these movies; beside findings, also those that the judged ones are held against."""
    method = attrs.get("method", "unknown")
    name = str(method["name"] if isinstance(method, Mapping) else method)
    shown = attrs.get("shown_as", "judged")
    return name if shown == "judged" else f"{str(shown).replace('_', ' ')}, beside {name}"
