"""NWB: valid by the format's own validator, and the same numbers read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pynwb import NWBHDF5IO, validate
from tests.exports.conftest import stored

from cinecortex.errors import WrongUse
from cinecortex.exports import Request, export


def test_reconstruction_and_uncertainty_are_processed_data_with_provenance(store, tmp_path):
    result = store(consent="written; ethics approval 17", subject="H3", species="Homo sapiens", simulated="false")
    (path,) = export(result, "nwb", tmp_path / "all.nwb")
    assert list(validate(path=str(path))) == []
    with NWBHDF5IO(str(path), "r") as store_read:
        file = store_read.read()
        series = file.processing["reconstruction"].data_interfaces
        # Only the first trial has a spread.
        assert sorted(series) == ["lower_trial_5", "movie_trial_5", "movie_trial_a_b", "std_trial_5"]
        for name, place, variable in (
            ("movie_trial_5", 0, "movie"),
            ("movie_trial_a_b", 1, "movie"),
            ("std_trial_5", 0, "std"),
        ):
            read = series[name]
            assert np.array_equal(np.asarray(read.data).transpose(0, 2, 1), stored(result, place, variable))
            assert (read.rate, read.starting_time) == (30.0, 0.0)
            assert json.loads(read.comments)["trial_id"] == ("5" if place == 0 else "a/b")
        assert (file.subject.species, file.subject.subject_id) == ("Homo sapiens", "H3")
        assert file.protocol == "consent and ethics approval: written; ethics approval 17"
        told = json.loads(file.notes)
        assert told["trials"] == ["5", "a/b"]
        assert told["result_attributes"]["seed"] == "7"
        assert "SIMULATED" not in file.session_description


def test_a_folder_gets_one_file_for_each_trial_and_says_simulated(store, tmp_path):
    paths = export(store(), "nwb", tmp_path / "each", request=Request(variable="movie"))
    assert [path.name for path in paths] == ["trial-5.nwb", "trial-a%2Fb.nwb"]
    for path in paths:
        assert list(validate(path=str(path))) == []
        with NWBHDF5IO(str(path), "r") as store_read:
            file = store_read.read()
            assert len(file.processing["reconstruction"].data_interfaces) == 1
            assert "SIMULATED" in file.session_description


def test_what_is_unknown_is_said_to_be(store, tmp_path):
    (path,) = export(store(species="unknown", subject="unknown"), "nwb", tmp_path / "u.nwb")
    assert list(validate(path=str(path))) == []
    with NWBHDF5IO(str(path), "r") as store_read:
        file = store_read.read()
        assert file.subject.species == "unknown"
        assert "not known" in file.session_description


def test_without_pynwb_it_says_what_to_install(store, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynwb", None)
    with pytest.raises(WrongUse, match=r"pip install 'cinecortex\[nwb\]'"):
        export(store(), "nwb", tmp_path / "n.nwb")
