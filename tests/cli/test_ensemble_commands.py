"""Ensembles, several architectures and baselines by way of the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import xarray as xr
from tests.encoders.small_training import write_animal
from tests.encoders.test_published import checkpoint

from cinecortex.encoders import published
from cinecortex.encoders.checkpoint import load_model


@pytest.fixture(scope="module")
def ensemble(run, mice, tmp_path_factory):
    out = tmp_path_factory.mktemp("ensembles") / "e"
    words = ("--encoder", "linear_nonlinear,compact", "--members", 2, "--by", "seed", "--epochs", 1, "--folds", 3)
    ran = run("fit", mice / "first", "--out", out, *words)
    assert ran.code == 0, ran.err
    assert "member 2 of 2" in ran.out
    assert sorted(path.name for path in out.parent.iterdir()) == ["e"]
    return out


def test_members_are_in_the_folder(ensemble):
    content = json.loads((ensemble / "encoder.json").read_text())
    assert content["kind"] == "ensemble"
    assert [member["kind"] for member in content["members"]] == ["linear_nonlinear", "compact"]


def test_predict_tells_where_members_disagree(run, mice, ensemble, tmp_path):
    assert (
        run("predict", mice / "first", "--encoder", ensemble, "--out", tmp_path / "r.zarr", "--tier", "oracle").code
        == 0
    )
    dataset = xr.open_zarr(tmp_path / "r.zarr")
    assert dataset["disagreement"].shape == dataset["rate"].shape
    assert (dataset["disagreement"].values > 0).any()
    assert np.isfinite(dataset["disagreement"].values).all()


def test_invert_takes_an_ensemble(run, mice, ensemble, tmp_path):
    ran = run("invert", mice / "first", "--encoder", ensemble, "--out", tmp_path / "r.zarr", "--method", "mean")
    assert ran.code == 0, ran.err


def test_evaluate_beside_the_baselines_and_store(run, mice, ensemble):
    words = ("evaluate", mice / "first", "--encoder", ensemble, "--tier", "oracle", "--baselines")
    found = json.loads(run(*words, "--json", "--store").out)
    assert found["baselines"]["mean response"]["mean_correlation"] == 0
    interval = found["baselines"]["encoder less linear-nonlinear"]
    assert interval["low"] <= interval["value"] <= interval["high"]
    assert interval["n"] == 2
    assert len(found["by_neuron"]["oracle"]) == 12
    assert found["trials_of_seen_clips"] == 0
    stored = json.loads((ensemble / "encoder.json").read_text())["evaluated"]["in-silico-0"]
    assert stored["mean_correlation"] == pytest.approx(found["mean_correlation"])
    text = run(*words).out
    assert "linear-nonlinear: mean correlation" in text
    assert "encoder less linear-nonlinear: value" in text
    assert run("evaluate", mice / "first", "--encoder", ensemble).code == 0


def test_scores_of_the_fit_are_those_of_the_command(run, mice, ensemble):
    facts = json.loads((ensemble / "encoder.json").read_text())["fitted"][0]
    found = json.loads(run("evaluate", mice / "first", "--encoder", ensemble, "--tier", "oracle", "--json").out)
    for name, value in facts["scores"]["repeats"].items():
        assert found[name] == pytest.approx(value, abs=1e-3), name


def test_dwiseneuro_is_fitted_to_two_animals(run, tmp_path):
    for seed, name in enumerate(("first", "second")):
        write_animal(tmp_path / name, neurons=3 + seed, seed=seed, frames=40)
    out = tmp_path / "d"
    words = ("--encoder", "dwiseneuro", "--width", 0.01, "--samples", 2, "--batch", 2, "--epochs", 1, "--folds", 2)
    ran = run("fit", tmp_path / "first", tmp_path / "second", "--out", out, *words)
    assert ran.code == 0, ran.err
    content = json.loads((out / "encoder.json").read_text())
    assert len(content["networks"]) == 1
    assert [facts["history"][0]["epoch"] for facts in content["fitted"]] == [1, 1]
    assert (content["fit"]["samples_per_epoch"], content["fit"]["batch_size"], content["fit"]["epochs"]) == (2, 2, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--encoder", "resnet"), "--encoder 'resnet' is unknown; choose from compact, dwiseneuro, linear_nonlinear"),
        (("--encoder", "compact,dwiseneuro"), "names 2 architectures but --members is 1"),
        (("--by", "mouse", "--members", "2"), "--by 'mouse' is unknown"),
    ],
)
def test_wrong_use_is_told_before_any_work(run, mice, tmp_path, words, sentence):
    ran = run("fit", mice / "first", "--out", tmp_path / "e", *words)
    assert ran.code == 2
    assert sentence in ran.err
    assert not list(tmp_path.iterdir())


def test_published_weights_become_an_encoder(run, tmp_path):
    torch.save(checkpoint(), tmp_path / "model.pth")
    ran = run("import-weights", tmp_path / "model.pth", "--out", tmp_path / "e", "--sessions", "a, b,c")
    assert ran.code == 0, ran.err
    assert "3 animals" in ran.out
    model = load_model(tmp_path / "e")
    assert {name: encoder.neurons for name, encoder in model.sessions.items()} == {"a": 5, "b": 8, "c": 3}
    assert model.session("a").network is model.session("c").network
    imported = published.import_weights(tmp_path / "model.pth")[0]["mouse1"].network.state_dict()
    assert all(torch.equal(value, imported[name]) for name, value in model.session("b").network.state_dict().items())
    (tmp_path / "not.pth").write_bytes(b"no")
    assert run("import-weights", tmp_path / "not.pth", "--out", tmp_path / "n").code == 3
