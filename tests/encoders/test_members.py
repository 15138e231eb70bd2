from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest
import torch
from tests.encoders.small_training import NETWORK, RECIPE, write_animal

from cinecortex.data import load
from cinecortex.encoders import members as module
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.evaluation import observation_model_of
from cinecortex.encoders.fit import FitSettings, predictions
from cinecortex.encoders.linear_start import LinearNonlinearSettings
from cinecortex.encoders.members import fit, fit_ensemble
from cinecortex.encoders.train import fit_model
from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.study import seen_clips

LINEAR, QUICK = LinearNonlinearSettings(filter_frames=6, bumps=3), FitSettings(epochs=2)


class Killed(Exception):
    """Stands for the process dying."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return load(write_animal(tmp_path_factory.mktemp("animals") / "a", neurons=3, seed=0, trials=6, frames=60))


def ensemble(recording, **options):
    defaults = {"members": 3, "settings": [QUICK], "folds": 3, "seed": Seed(1)}
    return fit_ensemble([recording], options.pop("architectures", [LINEAR]), **defaults | options)


def trial_ids(model, role: str) -> list[set[str]]:
    return [set(facts["fitted"][0]["trials"][role]) for facts in model.facts["members"]]


def same_bits(a, b) -> bool:
    first, second = (model.session("a").state_dict() for model in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_members_by_fold_select_on_different_folds_and_all_they_saw_counts_as_seen(recording):
    model = ensemble(recording)
    assert isinstance(model.session("a"), Ensemble)
    select = trial_ids(model, "select")
    assert not any(select[i] & select[j] for i in range(3) for j in range(i))
    assert set.union(*select) == {trial.trial_id for trial in recording.trials}
    assert seen_clips(model) == {trial.clip_id for trial in recording.trials}
    (facts,) = model.facts["fitted"]
    assert facts["observation_model_measured_on"].startswith("each clip by the members that were not fitted to it")
    assert "select" not in facts["scores"]
    # By hand: every trial by the one member that selected on it.
    pairs = []
    for trial in recording.trials:
        (apart,) = [m for m, own in zip(model.session("a").members, select, strict=True) if trial.trial_id in own]
        pairs += predictions(apart, [trial])
    expected = observation_model_of(pairs)
    torch.testing.assert_close(model.session("a").observation_model.dispersion, expected.dispersion)


def test_members_by_seed_share_the_fold_that_is_measured_on(recording):
    model = ensemble(recording, by="seed", members=2)
    select = trial_ids(model, "select")
    assert select[0] == select[1]
    (facts,) = model.facts["fitted"]
    assert facts["observation_model_measured_on"] == "clips that no member was fitted to"
    assert facts["scores"]["select"]["trials"] == len(select[0])
    assert len(seen_clips(model)) == len(recording.trials)
    encoder = model.session("a")
    held_out = [trial for trial in recording.trials if trial.trial_id in select[0]]
    expected = observation_model_of(list(predictions(encoder, held_out)))
    torch.testing.assert_close(encoder.observation_model.dispersion, expected.dispersion)
    assert all(member.movie_statistics is encoder.movie_statistics for member in encoder.members)


def test_the_first_member_is_the_fit_without_an_ensemble(recording):
    model = ensemble(recording, members=2)
    alone = fit_model([recording], LINEAR, settings=QUICK, folds=3, seed=Seed(1)).session("a")
    first, second = model.session("a").members
    assert all(torch.equal(value, alone.state_dict()[name]) for name, value in first.state_dict().items())
    assert not torch.equal(second.spatial, first.spatial)


def test_several_architectures_take_turns(recording):
    short = replace(RECIPE, epochs=1, samples_per_epoch=6)
    model = ensemble(recording, architectures=[LINEAR, NETWORK], settings=[QUICK, short], members=3)
    assert [m.kind for m in model.session("a").members] == ["linear_nonlinear", "dwiseneuro", "linear_nonlinear"]
    movies = torch.rand(1, 60, 8, 8)
    assert float(model.session("a").disagreement(movies, torch.zeros(1, 60, 4)).max().detach()) > 0


def test_a_killed_fit_keeps_finished_members(recording, tmp_path, monkeypatch):
    whole = ensemble(recording)
    fit, fitted = module.fit_model, []

    def die(*arguments, **options):
        fitted.append(options["member"])
        if len(fitted) == 3:
            raise Killed
        return fit(*arguments, **options)

    monkeypatch.setattr(module, "fit_model", die)
    with pytest.raises(Killed):
        ensemble(recording, state=tmp_path / "s")
    fitted.append(-1)
    resumed = ensemble(recording, state=tmp_path / "s", resume=True)
    assert fitted == [0, 1, 2, -1, 2]
    assert same_bits(resumed, whole)
    with pytest.raises(WrongUse, match="left by a fit of other recordings, settings or another seed"):
        ensemble(recording, state=tmp_path / "s", resume=True, seed=Seed(2))
    shutil.rmtree(tmp_path / "s")


def test_too_few_members_are_refused(recording):
    with pytest.raises(WrongUse, match="at least 2 members"):
        ensemble(recording, members=1)


@pytest.mark.slow
def test_members_in_processes_of_their_own_are_the_same_to_the_bit(recording, tmp_path):
    threads, told = torch.get_num_threads(), []
    torch.set_num_threads(max(1, os.cpu_count() // 2))  # as many as each of two workers gets: sums round by threads
    alone = ensemble(recording, members=2)
    torch.set_num_threads(threads)
    beside = ensemble(recording, members=2, workers=2, progress=lambda *args: told.append(args[:2]))
    assert same_bits(alone, beside)
    assert told == [(1, 2), (2, 2)]


def test_fit_gives_an_encoder_or_an_ensemble(recording):
    alone = fit(recording, LINEAR, settings=QUICK, folds=3, seed=Seed(1))
    together = fit(recording, LINEAR, settings=[QUICK], folds=3, seed=Seed(1), members=2)
    assert alone.kind == "linear_nonlinear"
    assert isinstance(together, Ensemble)
    assert all(torch.equal(v, alone.state_dict()[name]) for name, v in together.members[0].state_dict().items())
