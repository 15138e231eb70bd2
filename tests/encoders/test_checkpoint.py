from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cinecortex.encoders.base import Encoder, ObservationModel
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.separable import SeparableEncoder
from cinecortex.errors import BadData
from cinecortex.stimuli.spectrum import measure_movies

SIZE = (6, 7)
CHANNELS = ("running speed", "gaze x")


def random_encoder(seed: int, neurons: int = 3) -> CompactEncoder:
    encoder = CompactEncoder(neurons=neurons, frame_size=SIZE, frame_rate_hz=25.0, behavior_channels=CHANNELS)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in encoder.state_dict().values():
            tensor.add_(0.3 * torch.rand(tensor.shape, generator=random))
    return encoder.eval()


def random_model(seed: int = 0) -> Model:
    measured, bare = random_encoder(seed), random_encoder(seed + 10, neurons=5)
    random = torch.Generator().manual_seed(seed)
    measured.observation_model = ObservationModel(
        1 + torch.rand(3, generator=random), 5 * torch.rand(3, generator=random)
    )
    measured.movie_statistics = measure_movies([torch.rand(9, *SIZE, generator=random) for _ in range(3)])
    return Model({"mouse 1": measured, "mouse 2": bare}, {"kind": "compact", "seed": seed, "fitted": [{"score": 0.5}]})


def rates(encoder) -> torch.Tensor:
    random = torch.Generator().manual_seed(7)
    movies, behaviors = torch.rand(2, 40, *SIZE, generator=random), torch.randn(2, 40, 2, generator=random)
    return encoder(movies, behaviors).detach()


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "an encoder é"
    save_model(random_model(), folder)
    return folder


def test_what_was_saved_is_loaded_to_the_last_bit(folder):
    before, after = random_model(), load_model(folder)
    assert list(after.sessions) == ["mouse 1", "mouse 2"]
    assert dict(after.facts) == dict(before.facts)
    for name, encoder in before.sessions.items():
        loaded = after.session(name)
        assert torch.equal(rates(loaded), rates(encoder))
        assert loaded.settings == encoder.settings
        assert (loaded.frame_size, loaded.frame_rate_hz, loaded.memory) == (SIZE, 25.0, encoder.memory)
        assert not loaded.training
    first, second = before.session("mouse 1"), after.session("mouse 1")
    assert torch.equal(second.observation_model.dispersion, first.observation_model.dispersion)
    assert torch.equal(second.observation_model.correlation_time, first.observation_model.correlation_time)
    assert second.movie_statistics.to_json() == first.movie_statistics.to_json()
    assert torch.equal(second.movie_statistics.power, first.movie_statistics.power)
    assert after.session("mouse 2").observation_model is None
    assert after.session("mouse 2").movie_statistics is None


def test_the_folder_holds_json_and_safetensors_and_nothing_else(folder):
    assert sorted(content_of(folder)) == ["encoder.json", "weights.safetensors"]
    assert json.loads((folder / "encoder.json").read_text())["schema"] == "cinecortex.encoder/1"
    assert load_file(folder / "weights.safetensors")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_same_model_same_bytes(folder, tmp_path):
    save_model(random_model(), tmp_path / "second")
    assert content_of(tmp_path / "second") == content_of(folder)


def test_a_session_it_was_not_fitted_to_is_refused(folder):
    with pytest.raises(BadData, match="not fitted to session 'mouse 9'; it knows mouse 1, mouse 2"):
        load_model(folder).session("mouse 9")


def test_a_model_tells_its_sessions(folder):
    assert repr(load_model(folder)) == "Model(compact; mouse 1: 3 neurons, mouse 2: 5 neurons)"


def rewrite(folder: Path, **changes) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_settings(folder: Path, **changes) -> None:
    content = json.loads((folder / "encoder.json").read_text())
    content["sessions"][0]["settings"] |= changes
    rewrite(folder, sessions=content["sessions"])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "weights.safetensors")
    tensors.pop(next(name for name in tensors if "baseline" in name))
    save_file(tensors, folder / "weights.safetensors")


MEMBERLESS = {"session_id": "a", "kind": "ensemble", "settings": {}, "members": [], "movie_statistics": None}
NETWORKLESS = {"session_id": "a", "kind": "dwiseneuro", "settings": {}, "network": 3, "movie_statistics": None}
FAULTS = {
    "no json": (lambda f: (f / "encoder.json").unlink(), "encoder.json is missing"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "weights.safetensors is missing"),
    "half a json": (lambda f: truncate(f / "encoder.json"), "encoder.json is not readable JSON"),
    "json of zeros": (lambda f: (f / "encoder.json").write_bytes(bytes(30)), "encoder.json is not readable JSON"),
    "json that is not text": (lambda f: (f / "encoder.json").write_bytes(b"\xff\xfe{"), "encoder.json is not readable"),
    "json of another kind": (lambda f: (f / "encoder.json").write_text("[1]"), "encoder.json describes"),
    "half the weights": (lambda f: truncate(f / "weights.safetensors"), "weights.safetensors is damaged"),
    "empty weights": (lambda f: (f / "weights.safetensors").write_bytes(b""), "weights.safetensors is damaged"),
    "a pickle": (
        lambda f: torch.save({"a": torch.ones(3)}, f / "weights.safetensors"),
        "weights.safetensors is damaged",
    ),
    "another schema": (lambda f: rewrite(f, schema="cinecortex.encoder/9"), "encoder.json describes"),
    "another architecture": (lambda f: rewrite(f, kind="unheard of"), "encoder.json describes"),
    "no sessions": (lambda f: rewrite(f, sessions=None), "encoder.json lacks or misspells a part"),
    "a session without settings": (lambda f: rewrite(f, sessions=[{}]), "encoder.json lacks or misspells a part"),
    "a member that is not there": (lambda f: rewrite(f, kind="ensemble", sessions=[MEMBERLESS]), "misspells a part"),
    "a network that is not there": (lambda f: rewrite(f, sessions=[NETWORKLESS]), "misspells a part"),
    "an unknown setting": (lambda f: change_settings(f, colour="red"), "encoder.json lacks or misspells a part"),
    "weights of another shape": (lambda f: change_settings(f, neurons=4), "weights.safetensors does not fit"),
    "a tensor too few": (drop_a_tensor, "weights.safetensors does not fit"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_encoder_is_refused_in_one_sentence_that_names_the_file(folder, fault):
    damage, sentence = FAULTS[fault]
    damage(folder)
    with pytest.raises(BadData, match=sentence) as error:
        load_model(folder)
    assert folder.name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadData, match="nowhere is not an encoder"):
        load_model(tmp_path / "nowhere")


def test_a_newer_model_takes_the_place_of_an_older(folder):
    (folder / "left over").write_text("from before")
    save_model(random_model(1), folder)
    assert torch.equal(rates(load_model(folder).session("mouse 1")), rates(random_encoder(1)))
    assert sorted(content_of(folder)) == ["encoder.json", "weights.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("call", range(1, 6))
def test_a_save_that_is_interrupted_leaves_the_old_folder_whole(folder, monkeypatch, call):
    """The disk fails at the n-th rename, for every n that there is."""
    before, rename, calls = content_of(folder), Path.replace, []

    def fail(self, target):
        calls.append(target)
        if len(calls) == call:
            raise OSError("no space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    if call <= 3:
        with pytest.raises(OSError, match="no space"):
            save_model(random_model(1), folder)
        assert content_of(folder) == before
    else:
        save_model(random_model(1), folder)
        assert len(calls) == 3
    monkeypatch.undo()
    # The next save is not disturbed by what the first has left.
    save_model(random_model(2), folder)
    assert np.array_equal(rates(load_model(folder).session("mouse 1")), rates(random_encoder(2)))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_facts_that_cannot_be_written_leave_the_old_folder_whole(folder):
    before = content_of(folder)
    model = random_model(1)
    with pytest.raises(TypeError):
        save_model(Model(model.sessions, {**model.facts, "bad": object()}), folder)
    assert content_of(folder) == before


def randomised(encoder: Encoder, seed: int = 0) -> Encoder:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.rand(parameter.shape, generator=random))
    return encoder.eval()


def small_network(*neurons: int) -> DwiseNeuroNetwork:
    return DwiseNeuroNetwork(
        neurons, core_features=(8,), spatial_strides=(2,), cortex_features=(16,), expansion_ratio=4
    )


def bound(network: DwiseNeuroNetwork, index: int) -> DwiseNeuroEncoder:
    encoder = DwiseNeuroEncoder(network, index, frame_size=SIZE, frame_rate_hz=25.0, padded_size=(8, 8))
    encoder.behavior_mean.copy_(torch.arange(4.0) + index)
    return encoder


def seen_by(encoder: Encoder) -> torch.Tensor:
    random = torch.Generator().manual_seed(7)
    movies, behaviors = torch.rand(1, 40, *SIZE, generator=random), torch.randn(1, 40, 4, generator=random)
    with torch.no_grad():
        return encoder(movies, behaviors)


LINEAR = LinearNonlinear(torch.randn(3, 4, *SIZE), torch.randn(3), nonlinearity="exponential", frame_rate_hz=8.0)


@pytest.mark.parametrize(
    "encoder", [LINEAR, randomised(SeparableEncoder(neurons=3, frame_size=SIZE, rank=3, coarse=2))], ids=["full", "low"]
)
def test_linear_nonlinear_encoders_are_kept_to_the_last_bit(tmp_path, encoder):
    save_model(Model({"a": encoder}, {"kind": "linear_nonlinear"}), tmp_path / "e")
    loaded = load_model(tmp_path / "e").session("a")
    assert type(loaded) is type(encoder)
    assert torch.equal(seen_by(loaded), seen_by(encoder))
    assert (loaded.settings, loaded.frame_rate_hz) == (encoder.settings, encoder.frame_rate_hz)


def test_a_network_that_sessions_share_is_stored_once_and_shared_again(tmp_path):
    network = small_network(3, 5)
    sessions = {name: randomised(bound(network, i)) for i, name in enumerate("ab")}
    sessions["b"].observation_model = ObservationModel(torch.rand(5), torch.rand(5))
    save_model(Model(sessions, {"kind": "dwiseneuro"}), tmp_path / "e")
    stored = load_file(tmp_path / "e" / "weights.safetensors")
    assert len(stored) == len(network.state_dict()) + 2 + 2
    loaded = load_model(tmp_path / "e")
    assert loaded.session("a").network is loaded.session("b").network
    for name, encoder in sessions.items():
        assert torch.equal(seen_by(loaded.session(name)), seen_by(encoder))
        assert torch.equal(loaded.session(name).behavior_at_rest, encoder.behavior_at_rest)
        assert loaded.session(name).settings == encoder.settings
        assert not loaded.session(name).training
    assert torch.equal(loaded.session("b").observation_model.dispersion, sessions["b"].observation_model.dispersion)


def test_an_ensemble_of_several_architectures_is_kept_whole(tmp_path):
    networks = [small_network(3, 3), small_network(3, 3)]
    statistics = measure_movies([torch.rand(9, *SIZE) for _ in range(3)])
    sessions = {}
    for i, name in enumerate("ab"):
        low = randomised(SeparableEncoder(neurons=3, frame_size=SIZE, frame_rate_hz=25.0), i)
        low.observation_model = ObservationModel(torch.rand(3), torch.rand(3))
        ensemble = Ensemble([*(randomised(bound(network, i)) for network in networks), low])
        ensemble.observation_model = ObservationModel(torch.rand(3), torch.rand(3))
        ensemble.movie_statistics = low.movie_statistics = statistics
        sessions[name] = ensemble.eval()
    save_model(Model(sessions, {"kind": "ensemble"}), tmp_path / "e")
    loaded = load_model(tmp_path / "e")
    for name, ensemble in sessions.items():
        again = loaded.session(name)
        assert [member.kind for member in again.members] == ["dwiseneuro", "dwiseneuro", "linear_nonlinear"]
        assert torch.equal(seen_by(again), seen_by(ensemble))
        for mine, theirs in ((again, ensemble), (again.members[2], ensemble.members[2])):
            assert torch.equal(mine.observation_model.dispersion, theirs.observation_model.dispersion)
        assert again.members[2].movie_statistics is again.movie_statistics
        assert again.members[0].movie_statistics is None
    assert loaded.session("a").members[1].network is loaded.session("b").members[1].network
    assert loaded.session("a").members[0].network is not loaded.session("a").members[1].network


def test_a_folder_of_the_first_version_is_still_read(folder):
    """It named the kind once, for all of its sessions, and knew no shared networks."""
    content = json.loads((folder / "encoder.json").read_text())
    content.pop("networks")
    for session in content["sessions"]:
        assert session.pop("kind") == "compact"
    (folder / "encoder.json").write_text(json.dumps(content))
    for name, encoder in random_model().sessions.items():
        assert torch.equal(rates(load_model(folder).session(name)), rates(encoder))
