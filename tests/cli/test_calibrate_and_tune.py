"""Weights from elsewhere, all the way to a reconstruction; and the physiology of a fitted encoder."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from tests.encoders.small_training import SIZE, write_animal
from tests.encoders.test_published import checkpoint

from cinecortex import study
from cinecortex.data import load
from cinecortex.encoders import published
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.map import MAP
from cinecortex.seeds import Seed


@pytest.fixture
def imported(tmp_path):
    """A session of five neurons, and an encoder of published form for it and two others."""
    write_animal(tmp_path / "mouse", neurons=5, seed=0, trials=6, frames=70)
    np.save(tmp_path / "mouse/meta/trials/tiers.npy", np.array(["train"] * 4 + ["oracle", "final_test_main"]))
    torch.save(checkpoint(), tmp_path / "model.pth")
    names = [load(tmp_path / "mouse").session_id, "b", "c"]
    encoders, facts = published.import_weights(tmp_path / "model.pth", names, frame_size=SIZE)
    save_model(Model(encoders, facts), tmp_path / "e")
    return tmp_path


def test_imported_weights_invert_once_calibrated(run, imported):
    words = ("invert", imported / "mouse", "--encoder", imported / "e", "--out", imported / "r.zarr", "--trials", 5)
    before = run(*words)
    assert before.code in (2, 3)
    assert "calibrate" in before.err
    ran = run("calibrate", imported / "mouse", "--encoder", imported / "e", "--tier", "oracle")
    assert ran.code == 0, ran.err
    encoder = load_model(imported / "e").session(load(imported / "mouse").session_id)
    assert encoder.observation_model is not None
    assert encoder.movie_statistics.clips == 4
    # `map` would take minutes here (windows of 64 x 64 px), so the stages of `invert` are gone through one by one.
    recording, model = load(imported / "mouse"), load_model(imported / "e")
    answers = study.invert_trials(study.make_inverter("mean", model, recording), [recording.trial("5")], seed=Seed(0))
    assert answers[0][1].movie.shape == (70, *SIZE)
    assert study.unseen_trials(model, [recording], recording.trials) == (recording.trial("5"),)
    assert study.provenance(model, recording, seed=0, command="")["encoder fitted on recording"]
    mapped = MAP(encoder=encoder)
    assert isinstance(mapped.likelihood, Poisson)  # five neurons are too few to say what they share
    assert mapped.prior.statistics is encoder.movie_statistics
    content = json.loads((imported / "e/encoder.json").read_text())
    (facts,) = content["fitted"]
    assert facts["trials"] == {"train": ["0", "1", "2", "3"], "select": ["4"]}


def test_calibrate_refuses_what_it_would_mismeasure(run, imported):
    words = ("calibrate", imported / "mouse", "--encoder", imported / "e")
    ran = run(*words, "--trials", "0")
    assert ran.code == 2
    assert "among the training trials" in ran.err
    write_animal(imported / "other", neurons=4, seed=1, trials=6, frames=70)
    renamed = Model({"other": load_model(imported / "e").session("b")}, {"kind": "dwiseneuro", "fitted": []})
    save_model(renamed, imported / "f")
    np.save(imported / "other/meta/trials/tiers.npy", np.array(["train"] * 4 + ["oracle"] * 2))
    ran = run("calibrate", imported / "other", "--encoder", imported / "f")
    assert ran.code == 3
    assert "has 4 neurons" in ran.err


def test_tune(run, mice, encoder, tmp_path):
    words = ("tune", mice / "first", "--encoder", encoder)
    ran = run(*words, "--out", tmp_path / "cells.csv", "--json", "--degrees-per-px", 2)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    (tmp_path / "other.csv").write_text("something else")
    ran = run(*words, "--out", tmp_path / "other.csv")
    assert ran.code == 2
    assert "other.csv exists and holds something else; choose another name" in ran.err
    assert (tmp_path / "other.csv").read_text() == "something else"
