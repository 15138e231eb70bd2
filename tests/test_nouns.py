import gc
import types
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cinecortex.errors import BadData
from cinecortex.finding import Finding, Null
from cinecortex.reconstruction import Inverter, Reconstruction
from cinecortex.recording import Neurons, Observation, Recording, Trial, TrialReader
from cinecortex.seeds import Seed


@dataclass(frozen=True)
class InMemory:
    shown: torch.Tensor
    recorded: torch.Tensor | None
    moved: torch.Tensor

    def movie(self):
        return self.shown

    def response(self):
        return self.recorded

    def behavior(self):
        return self.moved

    def clip_id(self):
        return "clip of the reader"


def make_trial(recorded: bool = True, trial_id: str = "4", tier: str = "oracle") -> Trial:
    random = torch.Generator().manual_seed(0)
    reader = InMemory(
        torch.rand(6, 3, 5, generator=random),
        torch.rand(6, 4, generator=random) if recorded else None,
        torch.rand(6, 2, generator=random),
    )
    return Trial(trial_id, "mouse 1", tier, 30.0, (3, 5), ("pupil dilation", "running speed"), reader)


def make_recording() -> Recording:
    trials = (make_trial(trial_id="0", tier="train"), make_trial(trial_id="4"), make_trial(trial_id="5"))
    neurons = Neurons(np.arange(4), np.zeros((4, 3)))
    return Recording(
        "mouse 1", trials, neurons, 30.0, (3, 5), "deconvolved calcium", (), {"simulated": "true"}, Path("here"), "f00"
    )


def reachable(start: object) -> list[object]:
    """Everything that can be got at from ``start``: attributes, containers, closures; types and modules aside."""
    found: dict[int, object] = {}
    waiting = [start]
    while waiting:
        thing = waiting.pop()
        if id(thing) in found or isinstance(thing, (type, types.ModuleType, types.BuiltinFunctionType)):
            continue
        found[id(thing)] = thing
        waiting.extend(gc.get_referents(thing))
        if isinstance(thing, torch.Tensor):
            waiting.extend(base for base in (thing._base, thing.grad_fn) if base is not None)
    return list(found.values())


def holds_pixels(tensor: torch.Tensor, movie: torch.Tensor) -> bool:
    if tensor.untyped_storage().data_ptr() == movie.untyped_storage().data_ptr():
        return True
    return tensor.is_floating_point() and bool(torch.isin(tensor.flatten(), movie.flatten()).any())


def ways_to_the_movie(observation: Observation, trial: Trial) -> list[object]:
    movie = trial.movie
    return [
        thing
        for thing in reachable(observation)
        if thing is trial
        or thing is trial.reader
        or (isinstance(thing, str) and thing in (trial.clip_id, trial.trial_id, trial.session_id))
        or (isinstance(thing, torch.Tensor) and holds_pixels(thing, movie))
    ]


def test_no_way_leads_from_an_observation_to_the_movie():
    trial = make_trial()
    observation = trial.observe()
    assert any(thing is observation.response for thing in reachable(observation))
    assert ways_to_the_movie(observation, trial) == []
    # All its fields are accounted for: a new one must be thought about here.
    assert {field.name for field in fields(Observation)} == {
        "response",
        "behavior",
        "behavior_channels",
        "frame_rate_hz",
        "frame_size",
        "heard",
    }


@pytest.mark.parametrize(
    "smuggle",
    [
        lambda trial, observation: replace(observation, behavior=trial.movie.flatten(1)),
        lambda trial, observation: replace(observation, response=trial.movie.flatten(1)[:, 3:7] * 1.0),
        lambda trial, observation: replace(observation, behavior_channels=(trial.clip_id,)),
    ],
    ids=["a view of the pixels", "a copy of some pixels", "the identity of the clip"],
)
def test_the_search_finds_a_movie_that_was_smuggled_in(smuggle):
    trial = make_trial()
    assert ways_to_the_movie(smuggle(trial, trial.observe()), trial)


def test_an_observation_is_what_was_recorded():
    trial = make_trial()
    observation = trial.observe()
    assert torch.equal(observation.response, trial.response)
    assert torch.equal(observation.behavior, trial.behavior)
    assert observation.behavior_channels == ("pupil dilation", "running speed")
    assert (observation.frames, observation.frame_size, observation.frame_rate_hz) == (6, (3, 5), 30.0)
    assert observation.heard.tolist() == [True] * 4


def test_a_trial_without_a_response_cannot_be_observed():
    with pytest.raises(BadData, match=r"trial 4 of session mouse 1 has no recorded response"):
        make_trial(recorded=False).observe()


def test_hearing_can_only_take_neurons_away():
    observation = make_trial().observe()
    fewer = observation.hearing(torch.tensor([True, False, True, True]))
    again = fewer.hearing(torch.tensor([True, True, False, True]))
    assert again.heard.tolist() == [True, False, False, True]
    assert fewer.hearing(torch.ones(4, dtype=torch.bool)).heard.tolist() == [True, False, True, True]
    assert observation.heard.all()


NOUNS = {
    "observation": lambda: make_trial().observe(),
    "trial": make_trial,
    "recording": make_recording,
    "neurons": lambda: make_recording().neurons,
    "reconstruction": lambda: Reconstruction(torch.zeros(6, 3, 5), "all 4 steps were made", frame_passes=24),
    "finding": lambda: make_finding(),
    "seed": lambda: Seed(1),
}


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns_are_frozen(noun):
    thing = NOUNS[noun]()
    for field in fields(thing):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, field.name, getattr(thing, field.name))


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("observation", "Observation(4 of 4 neurons heard, 6 frames at 30 Hz, movie of 3x5 px unknown)"),
        ("trial", "Trial('4' of session 'mouse 1', tier 'oracle')"),
        (
            "recording",
            "Recording('mouse 1': 4 neurons, 3 trials (1 train, 2 oracle), 3x5 px at 30 Hz, response in deconvolved "
            "calcium)",
        ),
        ("neurons", "Neurons(4, with coordinates)"),
        ("reconstruction", "Reconstruction(6 frames of 3x5 px, 24 frame-passes, ended: all 4 steps were made)"),
        ("finding", "Finding(controls.no_neurons: supported; correlation = 0.700 [0.600, 0.800], n = 10 clip)"),
    ],
)
def test_a_noun_tells_a_person_what_it_holds(noun, expected):
    assert repr(NOUNS[noun]()) == expected


def test_samples_are_told_of_where_there_are_some():
    drawn = Reconstruction(torch.zeros(6, 3, 5), "drawn", samples=torch.zeros(16, 6, 3, 5))
    assert "16 samples" in repr(drawn)


def test_a_recording_finds_its_trials_by_tier_and_by_name():
    recording = make_recording()
    assert recording.tiers == ("train", "oracle")
    assert [trial.trial_id for trial in recording.tier("oracle")] == ["4", "5"]
    assert [trial.trial_id for trial in recording.tier("oracle", "train")] == ["0", "4", "5"]
    assert recording.trial("5") is recording.trials[2]
    assert recording.simulated
    assert not replace(recording, metadata={}).simulated
    with pytest.raises(BadData, match="here has no trial '9'; it has 3 trials"):
        recording.trial("9")


def test_protocols_are_recognised_by_what_they_can_do():
    class Gray:
        name = "gray"

        def __call__(self, observation: Observation, seed: Seed) -> Reconstruction:
            return Reconstruction(torch.full((observation.frames, *observation.frame_size), 0.5), "nothing to do")

    assert isinstance(Gray(), Inverter)
    assert not isinstance(lambda observation, seed: None, Inverter)
    assert isinstance(make_trial().reader, TrialReader)


def make_finding(**changes) -> Finding:
    finding = Finding(
        id="controls.no_neurons",
        claim="The movie comes from the neurons.",
        verdict="supported",
        metric="correlation",
        value=0.7,
        interval=(0.6, 0.8),
        level=0.95,
        n=10,
        unit="clip",
        rule="The interval lies above the null.",
        null=Null(0.0, (-0.1, 0.1)),
        p=0.001,
        data={"per_clip": [0.7, 0.7]},
    )
    return replace(finding, **changes)


def test_a_finding_is_written_with_the_keys_of_the_schema():
    written = make_finding().to_json()
    # The keys of findings.json, schema cinecortex.findings/1.
    keys = "id claim verdict metric value interval level n unit null p rule notes data"
    assert set(written) == set(keys.split())
    assert written["null"] == {"value": 0.0, "interval": (-0.1, 0.1)}
    assert make_finding(null=None, p=None).to_json()["null"] is None
    assert make_finding(null=None, p=None).to_json()["p"] is None
