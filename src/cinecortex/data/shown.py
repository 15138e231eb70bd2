"""What a report shows of a validation, kept beside its findings: no recording and no encoder is needed to see it."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr.errors
from jaxtyping import UInt8
from torch import Tensor

from cinecortex.data.faults import Fault
from cinecortex.data.results import read_result, reconstructions, words, write_result
from cinecortex.errors import WrongUse
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Behavior, Mask, Movie, Response

SCHEMA = "cinecortex.shown/1"
SHOWN = "shown"
"""The folder beside ``findings.json``."""
TRIALS = "trials.zarr"
ROWS = 120
"""Most neurons of the raster; more would not be told apart on a screen."""
BRIGHT = 0.99
"""The response of a neuron that is drawn darkest: all but the strongest of its frames differ."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One trial as a report shows it.

    Attributes:
        trial_id, session_id, clip_id: Which trial it is.
        frame_rate_hz: Frames per second.
        unseen: Whether neither the clip nor a near-copy of it was fitted to.
        movie: What was on the screen, luminance 0..1.
        behavior: Behavior on the same frames.
        behavior_channels: Names of its channels.
        activity: Responses of some neurons, each from its least (0) to its strongest (255), ``time row``.
        mean_response: Response averaged over all neurons, in the recording's unit, ``time``; NaN where none is known.
        answers: Reconstructions by who or what made them: ``judged``, ``no_neurons``, ``ridge``, ...
    """

    trial_id: str
    session_id: str
    clip_id: str
    frame_rate_hz: float
    unseen: bool
    movie: Movie
    behavior: Behavior
    behavior_channels: tuple[str, ...]
    activity: UInt8[np.ndarray, "time row"]
    mean_response: Tensor
    answers: Mapping[str, Reconstruction]

    @property
    def trial(self) -> Trial:
        """The same as a trial without its responses, for whatever compares a reconstruction with a trial."""
        height, width = self.movie.shape[1:]
        size, reader = (height, width), _Kept(self.movie, self.behavior, self.clip_id)
        return Trial(self.trial_id, self.session_id, "", self.frame_rate_hz, size, self.behavior_channels, reader)


@dataclass(frozen=True, eq=False)
class _Kept:
    """Reads from memory."""

    shown: Movie
    measured: Behavior
    identity: str

    def movie(self) -> Movie:
        return self.shown

    def response(self) -> Response | None:
        return None

    def behavior(self) -> Behavior:
        return self.measured

    def clip_id(self) -> str:
        return self.identity


@dataclass(frozen=True, eq=False)
class Exhibit:
    """All that a report shows of one validation.

    Attributes:
        trials: In the order of the findings.
        mask: Where the population can see, 0..1, ``height width``.
        burn_in: Frames at the start of every movie that no score counts.
    """

    trials: tuple[Shown, ...]
    mask: Mask
    burn_in: int


def order_of_clips(clips: int, seed: Seed) -> list[int]:
    """The order in which a report shows clips: drawn from the seed of the run, without regard to how they came out."""
    return list(torch.randperm(clips, generator=(seed / "order of clips").torch()).tolist())


def write_exhibit(
    folder: Path,
    trials: Sequence[Trial],
    answers: Mapping[str, Mapping[str, Reconstruction]],
    *,
    mask: Mask,
    burn_in: int,
    seen: Collection[str] = (),
    attrs: Mapping[str, Any],
) -> Path:
    """Keep what a report shows, all of it or nothing; what an earlier run kept there is replaced when all is done.

    Args:
        folder: Where: ``trials.zarr`` and one result for each of ``answers``, which every tool for results reads.
        trials: The trials judged, of one session.
        answers: By who made them, reconstructions by trial id; some trials may lack one.
        mask: Where scores count.
        burn_in: Frames that no score counts.
        seen: Identity of the clips that were fitted to.
        attrs: Facts for every result: settings, seed, fingerprints.

    Raises:
        WrongUse: there is no trial, or something that is no exhibit lies at ``folder``.
    """
    if not trials:
        raise WrongUse("there is no trial to show.")
    if folder.exists() and not (folder / TRIALS / "zarr.json").exists():
        raise WrongUse(f"{folder} exists and holds something else; choose another folder.")
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        _write_trials(unfinished / TRIALS, trials, mask, burn_in, frozenset(seen))
        for name, by_trial in answers.items():
            results = [(trial, by_trial[trial.trial_id]) for trial in trials if trial.trial_id in by_trial]
            if results:
                write_result(unfinished / f"{name}.zarr", results, attrs={"shown_as": name, **attrs})
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _write_trials(path: Path, trials: Sequence[Trial], mask: Mask, burn_in: int, seen: frozenset[str]) -> None:
    facts, arrays = [], []
    for trial in trials:
        movie, behavior = trial.movie, trial.behavior
        activity, mean = raster(trial.response, frames=len(movie))
        arrays.append((movie.cpu().numpy(), behavior.cpu().numpy(), activity, mean.cpu().numpy()))
        facts.append(
            {
                "trial_id": trial.trial_id,
                "session_id": trial.session_id,
                "clip_id": trial.clip_id,
                "frame_rate_hz": trial.frame_rate_hz,
                "frames": len(movie),
                "unseen": trial.clip_id not in seen,
            }
        )
    names = ("movie", "behavior", "activity", "mean_response")
    dims = (("height", "width"), ("channel",), ("row",), ())
    dataset = xr.Dataset(
        {
            name: (("trial", "time", *dim), _padded([each[place] for each in arrays]))
            for place, (name, dim) in enumerate(zip(names, dims, strict=True))
        }
        | {"mask": (("height", "width"), mask.cpu().numpy())},
        attrs={
            "schema": SCHEMA,
            "trials": facts,
            "burn_in": burn_in,
            "behavior_channels": list(trials[0].behavior_channels),
        },
    )
    with warnings.catch_warnings():
        # Zarr says that version 3 does not specify consolidated metadata yet; xarray warns when it is not there.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        dataset.to_zarr(path, mode="w", zarr_format=3, consolidated=True)


def _padded(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stacked, shorter ones with zeros at their end; how long each is says ``frames``."""
    longest = max(len(array) for array in arrays)
    stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for place, array in enumerate(arrays):
        stacked[place, : len(array)] = array
    return stacked


def raster(response: Response | None, *, frames: int, rows: int = ROWS) -> tuple[UInt8[np.ndarray, "time row"], Tensor]:
    """Population activity for the eye: each neuron from its least (0) to its strongest (255) response.

    Args:
        response: ``time neuron``, or None where none is known.
        frames: Length of the movie.
        rows: Most neurons to show; of more, as many are taken evenly through their order.

    Returns:
        The raster, ``time row`` (no row where no response is known), and the mean over all neurons, ``time``.
    """
    if response is None:
        return np.zeros((frames, 0), dtype=np.uint8), torch.full((frames,), torch.nan)
    known = response.nan_to_num(0.0).double()
    neurons = known.shape[1]
    chosen = known[:, torch.linspace(0, neurons - 1, min(rows, neurons)).round().long()]
    least = chosen.amin(0)
    strongest = torch.quantile(chosen, BRIGHT, dim=0)
    strongest = torch.where(strongest > least, strongest, chosen.amax(0))
    scaled = (chosen - least) / (strongest - least).clamp(min=1e-12)
    drawn = scaled.clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    return drawn, response.double().nanmean(1).float()


def read_exhibit(folder: Path) -> Exhibit:
    """What `write_exhibit` kept.

    Raises:
        BadData: there is none, or it cannot be read.
    """
    path = folder / TRIALS
    try:
        dataset = xr.open_zarr(path).load()
    except (OSError, ValueError, KeyError) as error:
        raise Fault(path, "is not readable", "run cinecortex validate again") from error
    if dataset.attrs.get("schema") != SCHEMA:
        raise Fault(path, "was not written by this version", "run cinecortex validate again")
    answers: dict[str, dict[str, Reconstruction]] = {}
    for store in sorted(folder.glob("*.zarr")):
        if store != path:
            result = read_result(store)
            found = zip(words(result, "trial_id"), reconstructions(result), strict=True)
            for trial_id, answer in found:
                answers.setdefault(trial_id, {})[store.stem] = answer
    trials = tuple(
        _shown(dataset.isel(trial=place), facts, answers.get(facts["trial_id"], {}))
        for place, facts in enumerate(dataset.attrs["trials"])
    )
    return Exhibit(trials, torch.from_numpy(dataset["mask"].values), int(dataset.attrs["burn_in"]))


def _shown(one: xr.Dataset, facts: Mapping[str, Any], answers: Mapping[str, Reconstruction]) -> Shown:
    frames = int(facts["frames"])
    arrays = {name: one[name].values[:frames] for name in ("movie", "behavior", "activity", "mean_response")}
    return Shown(
        trial_id=facts["trial_id"],
        session_id=facts["session_id"],
        clip_id=facts["clip_id"],
        frame_rate_hz=float(facts["frame_rate_hz"]),
        unseen=bool(facts["unseen"]),
        movie=torch.from_numpy(arrays["movie"]),
        behavior=torch.from_numpy(arrays["behavior"]),
        behavior_channels=tuple(one.attrs["behavior_channels"]),
        activity=arrays["activity"],
        mean_response=torch.from_numpy(arrays["mean_response"]),
        answers=answers,
    )
