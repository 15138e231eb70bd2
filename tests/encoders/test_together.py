"""Several animals, one network: killed after any step, the training ends where it would have ended."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.encoders.small_training import NETWORK, RECIPE, animals, train_small

from cinecortex.data import split
from cinecortex.encoders import unfinished
from cinecortex.encoders.checkpoint import load_model, save_model
from cinecortex.encoders.evaluation import score_encoder
from cinecortex.encoders.fit import FitSettings
from cinecortex.encoders.recipe import Recipe
from cinecortex.encoders.together import fit_together
from cinecortex.encoders.train import fit_model
from cinecortex.errors import BadData, WrongUse
from cinecortex.seeds import Seed


class Killed(Exception):
    """Stands for the process dying."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return animals(tmp_path_factory.mktemp("animals"))


def train(recordings, recipe: Recipe = RECIPE, seed: int = 0, **options):
    roles = split(recordings, seed=Seed(0), folds=4)
    parts = {
        recording.session_id: type(roles)(
            *(tuple(t for t in r if t.session_id == recording.session_id) for r in (roles.train, roles.select)), ()
        )
        for recording in recordings
    }
    return fit_together(recordings, parts, NETWORK, recipe, Seed(seed), **options)


@pytest.fixture(scope="module")
def whole(recordings):
    return train(recordings)


def weights(fits) -> dict[str, torch.Tensor]:
    return next(iter(fits.values()))[0].network.state_dict()


def same_bits(a, b) -> bool:
    return all(torch.equal(value, weights(b)[name]) for name, value in weights(a).items())


def test_all_animals_share_one_network(whole):
    (first, fitted), (second, _) = whole.values()
    assert first.network is second.network
    assert (first.neurons, second.neurons) == (3, 4)
    assert [row["epoch"] for row in fitted.history] == [1, 2, 3]
    assert all(
        row["select"] == pytest.approx((row["select first"] + row["select second"]) / 2) for row in fitted.history
    )
    assert "all 3 epochs were run" in fitted.ended


def test_same_seed_same_bits_and_random_numbers_outside_do_not_notice(recordings, whole):
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    again = train(recordings)
    assert torch.equal(torch.rand(1), before)
    assert same_bits(again, whole)
    assert not same_bits(train(recordings, seed=1), whole)


@pytest.mark.parametrize("saves", [1, 2])
def test_stopped_in_mid_epoch_it_goes_on_to_the_same_bits(recordings, whole, tmp_path, monkeypatch, saves):
    write, written = unfinished.write_tensors, []

    def die(path, tensors):
        written.append(path.name)
        if len(written) > saves:
            raise Killed
        write(path, tensors)

    monkeypatch.setattr(unfinished, "write_tensors", die)
    with pytest.raises(Killed):
        train(recordings, state=tmp_path)
    monkeypatch.undo()
    assert written[:2] == ["step2.safetensors", "step4.safetensors"]
    (tmp_path / "step999.safetensors").write_bytes(b"half")
    resumed = train(recordings, state=tmp_path, resume=True)
    assert same_bits(resumed, whole)
    assert resumed["first"][1].history == whole["first"][1].history
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["step12.safetensors"]


def test_a_state_of_another_recipe_is_refused(recordings, tmp_path):
    train(recordings, replace(RECIPE, epochs=2), state=tmp_path)
    with pytest.raises(BadData, match="another recipe; leave out --resume"):
        train(recordings, state=tmp_path, resume=True)


def test_a_process_that_is_killed_goes_on_to_the_same_weights(tmp_path):
    command = [sys.executable, "-m", "tests.encoders.small_training", str(tmp_path), str(tmp_path / "killed")]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # the first epoch is done
    process.kill()
    process.stdout.close()
    assert process.wait() == -9
    assert not (tmp_path / "killed").exists()
    (state,) = (tmp_path / "killed.unfinished").glob("*/state.json")
    assert 4 <= json.loads(state.read_text())["step"] < 12
    epochs: list[int] = []
    train_small(tmp_path, tmp_path / "killed", resume=True, progress=lambda done, *_: epochs.append(done))
    train_small(tmp_path, tmp_path / "whole")
    assert epochs in ([2, 3], [3])
    killed, whole = (tmp_path / name / "weights.safetensors" for name in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()


def test_the_model_is_measured_and_kept(recordings, tmp_path):
    model = fit_model(recordings, NETWORK, settings=replace(RECIPE, epochs=1), seed=Seed(3), folds=4)
    save_model(model, tmp_path / "e")
    loaded = load_model(tmp_path / "e")
    assert loaded.facts["kind"] == "dwiseneuro"
    for recording in recordings:
        encoder, again = model.session(recording.session_id), loaded.session(recording.session_id)
        assert again.observation_model is not None
        assert again.movie_statistics is not None
        scores = [score_encoder(e, recording.trials).correlation for e in (encoder, again)]
        torch.testing.assert_close(scores[0], scores[1], equal_nan=True)
        expected = torch.cat([t.behavior for t in recording.trials if t.trial_id in trained(model, recording)])
        torch.testing.assert_close(again.behavior_mean, expected.mean(0))
    assert len(model.facts["fitted"][0]["history"]) == 1


def trained(model, recording) -> list[str]:
    (facts,) = [f for f in model.facts["fitted"] if f["session_id"] == recording.session_id]
    return facts["trials"]["train"]


def test_settings_of_another_architecture_are_refused(recordings):
    with pytest.raises(WrongUse, match="DwiseNeuro cannot be fitted with FitSettings"):
        fit_model(recordings, NETWORK, settings=FitSettings())
