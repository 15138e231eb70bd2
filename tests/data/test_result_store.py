"""The result store: opened by plain xarray, complete or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import zarr
from sessions import write_session

from cinecortex.data import Cut, load, read_result, reconstructions, words, write_result
from cinecortex.data.results import SCHEMA
from cinecortex.errors import BadData, WrongUse
from cinecortex.information import Band, Information
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

INFORMATION = Information(
    bits=12.5,
    bits_error=0.5,
    dimensions=3.0,
    dimensions_error=0.1,
    eigenvalues=(4.0, 0.5),
    counts=(2.0, 1.0),
    coordinates=3,
    neurons=5,
    frames=20,
    frame_rate_hz=10.0,
    share=0.25,
    share_error=0.01,
    bands=(Band((0.0, 0.1), (0.1, 0.5), 0.5, 0.02, 0.001),),
    probes=4,
)


@pytest.fixture
def trials(tmp_path: Path) -> tuple[Trial, ...]:
    return load(write_session(tmp_path / "s")).trials


def answer(frames: int, *, full: bool) -> Reconstruction:
    movie = torch.rand(frames, 8, 12)
    if not full:
        return Reconstruction(movie, ended="stopped after 100 steps – naïvely")
    return Reconstruction(
        movie,
        ended="converged",
        mask=torch.rand(8, 12),
        energy=-3.5,
        frame_passes=600,
        seconds=1.5,
        std=movie / 10,
        lower=movie / 2,
        upper=movie,
        samples=torch.rand(3, frames, 8, 12),
        data_share=movie / 3,
        information=INFORMATION,
    )


def test_what_was_written_reads_back_as_it_was(tmp_path: Path, trials: tuple[Trial, ...]) -> None:
    written = [answer(20, full=True), answer(15, full=False)]
    path = write_result(tmp_path / "r.zarr", list(zip((trials[4], trials[6]), written, strict=True)), attrs={})
    for one, other in zip(written, reconstructions(read_result(path)), strict=True):
        for name, value in vars(one).items():
            read = getattr(other, name)
            assert torch.equal(read, value) if isinstance(value, torch.Tensor) else read == value, name
    bare = reconstructions(read_result(path), drawn=False)[0]
    assert (bare.std, bare.samples) == (None, None)
    assert torch.equal(bare.movie, written[0].movie)


def test_round_trip_through_plain_xarray(tmp_path: Path, trials: tuple[Trial, ...]) -> None:
    full, plain = answer(20, full=True), answer(15, full=False)
    path = write_result(tmp_path / "r.zarr", [(trials[4], full), (trials[6], plain)], attrs={"seed": 3, "a": {"b": 1}})
    data = xr.open_zarr(path)
    assert data.movie.dims == ("trial", "time", "height", "width")
    assert data["sample"].dims == ("sample", "trial", "time", "height", "width")
    assert data.movie.dtype == np.float32
    assert torch.equal(torch.from_numpy(data.movie.values[0]), full.movie)
    assert torch.equal(torch.from_numpy(data.movie.values[1, :15]), plain.movie)
    assert np.isnan(data.movie.values[1, 15:]).all()
    assert np.isnan(data["std"].values[1]).all()
    assert np.array_equal(data["sample"].values[:, 0], full.samples)
    assert np.array_equal(data["mask"].values[0], full.mask)
    assert data["trial_id"].values.tolist() == [4, 7]
    assert data["frames"].values.tolist() == [20, 15]
    assert data["energy"].values[0] == -3.5
    assert np.isnan(data["energy"].values[1])
    assert data["frame_passes"].values.tolist() == [600, 0]
    assert (data.attrs["seed"], data.attrs["a"]) == (3, {"b": 1})
    assert "cinecortex" in data.attrs["versions"]
    assert all(variable.dtype.kind in "if" for variable in data.variables.values())
    assert data["bits"].values[0] == 12.5
    assert np.isnan(data["dimensions"].values[1])
    assert words(data, "clip_id") == (trials[4].clip_id, trials[6].clip_id)
    assert words(data, "ended") == ("converged", "stopped after 100 steps – naïvely")
    assert words(data, "trial_id") == ("4", "7")
    assert words(data, "session_id") == ("s", "s")


def test_trial_ids_that_are_not_numbers(tmp_path: Path) -> None:
    movie = np.zeros((60, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", movie=movie, response=np.ones((60, 2)), frame_rate_hz=30.0)
    trials = load(tmp_path / "a.npz", cut=Cut(clip_frames=10, guard_frames=2)).tier("test")
    write_result(tmp_path / "r.zarr", [(t, Reconstruction(t.movie, ended="")) for t in trials], attrs={})
    assert words(read_result(tmp_path / "r.zarr"), "trial_id") == ("50-59",)


def test_replaced_when_complete_and_kept_when_not(tmp_path: Path, trials: tuple[Trial, ...]) -> None:
    path = tmp_path / "r.zarr"
    write_result(path, [(trials[0], answer(20, full=True))], attrs={})
    broken = answer(20, full=False)
    object.__setattr__(broken, "std", "no tensor")
    with pytest.raises(AttributeError):
        write_result(path, [(trials[0], broken)], attrs={})
    assert read_result(path).frame_passes.values.tolist() == [600]
    write_result(path, [(trials[0], answer(20, full=False))], attrs={})
    assert read_result(path).frame_passes.values.tolist() == [0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["r.zarr", "s"]


@pytest.mark.parametrize(
    "attributes",
    [None, {}, {"schema": "cinecortex.encoder/1"}, {"schema": "another.result/1"}, {"schema": 1}, {"schema": SCHEMA}],
)
def test_a_store_of_another_kind_is_not_replaced(tmp_path: Path, trials: tuple[Trial, ...], attributes) -> None:
    path = tmp_path / "other.zarr"
    zarr.create_group(path, attributes=attributes or {}, zarr_format=3)
    if attributes is None:
        (path / "zarr.json").write_text("[")
    before = (path / "zarr.json").read_bytes()
    good = [(trials[0], answer(20, full=False))]
    if attributes == {"schema": SCHEMA}:
        write_result(path, good, attrs={})
        assert read_result(path).frames.values.tolist() == [20]
        return
    with pytest.raises(WrongUse, match=r"other\.zarr exists and is not a result"):
        write_result(path, good, attrs={})
    assert (path / "zarr.json").read_bytes() == before


def test_refusals(tmp_path: Path, trials: tuple[Trial, ...]) -> None:
    good = [(trials[0], answer(20, full=False))]
    with pytest.raises(WrongUse, match="no reconstruction"):
        write_result(tmp_path / "r.zarr", [], attrs={})
    with pytest.raises(WrongUse, match="frame sizes"):
        write_result(tmp_path / "r.zarr", [*good, (trials[1], Reconstruction(torch.rand(5, 2, 2), ended=""))], attrs={})
    with pytest.raises(WrongUse, match="JSON"):
        write_result(tmp_path / "r.zarr", good, attrs={"x": object()})
    with pytest.raises(WrongUse, match="not a result"):
        write_result(tmp_path / "s", good, attrs={})
    assert [file.name for file in tmp_path.iterdir()] == ["s"]
    for path in ("nowhere.zarr", "s"):
        with pytest.raises(BadData, match=path):
            read_result(tmp_path / path)


def test_information_has_rates_of_its_own() -> None:
    assert (INFORMATION.bits_per_second, INFORMATION.bits_per_neuron) == (12.5 / 2, 2.5)
    assert replace(INFORMATION, neurons=0).bits_per_neuron == 0


@pytest.mark.parametrize("spoil", [{"bits": None}, {"more": 1}])
def test_information_that_cannot_be_read_is_refused(spoil: dict[str, Any]) -> None:
    content = {**INFORMATION.to_json(), **spoil}
    if content["bits"] is None:
        del content["bits"]
    with pytest.raises(BadData, match="measure it again"):
        Information.from_json(content)
