"""Published checkpoints: read right, and refused without running anything where they are not what they claim."""

from __future__ import annotations

import builtins
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.encoders.dwiseneuro_small import NEURONS, SETTINGS, sine_inputs, small_network

from cinecortex.encoders.published import SENSORIUM_SESSIONS, _sessions, import_weights
from cinecortex.encoders.torch_file import TorchFile
from cinecortex.errors import BadData, WrongUse


def checkpoint(ratio: int = 6) -> dict[str, Any]:
    """What argus saves, of a small network in single precision."""
    network = small_network(ratio).float()
    module = {**network.settings, "readout_outputs": list(NEURONS), "core_features": SETTINGS["core_features"]}
    return {
        "model_name": "MouseModel",
        "params": {
            "nn_module": ("dwiseneuro", module),
            "loss": ("mice_poisson", {"log_input": False, "full": False, "eps": 1e-8}),
            "optimizer": ("AdamW", {"lr": 0.0024, "weight_decay": 0.05}),
            "device": "cuda:0",
            "frame_stack": {"size": 16, "step": 2, "position": "last"},
            "inputs_processor": ("stack_inputs", {"size": (64, 64), "pad_fill_value": 0.0}),
            "responses_processor": ("identity", {}),
            "amp": True,
            "iter_size": 1,
        },
        "nn_state_dict": network.state_dict(),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.pth"


@pytest.mark.parametrize("ratio", [6, 7])
def test_a_checkpoint_becomes_encoders_that_share_its_network(ratio: int, file: Path) -> None:
    torch.save(checkpoint(ratio), file)
    encoders, facts = import_weights(file)
    assert list(encoders) == ["mouse0", "mouse1", "mouse2"]
    assert [encoder.neurons for encoder in encoders.values()] == list(NEURONS)
    assert facts["imported"]["neurons"] == dict(zip(encoders, NEURONS, strict=True))
    first, second, _ = encoders.values()
    assert first.network is second.network
    assert (first.windows.frames, first.windows.step, first.padded_size) == (16, 2, (64, 64))
    assert not first.training
    assert all(parameter.requires_grad for parameter in first.parameters())
    inputs = sine_inputs(1, 4, 8, 8).float()
    with torch.no_grad():
        assert torch.equal(second.network(inputs, 1), small_network(ratio).float()(inputs, 1))


def test_sessions_are_named_by_hand_or_known_by_their_neurons(file: Path) -> None:
    torch.save(checkpoint(), file)
    assert list(import_weights(file, ["a", "b", "c"])[0]) == ["a", "b", "c"]
    for wrong in (["a"], ["a", "b", "b"], ["a", "b", "c", "d"]):
        with pytest.raises(WrongUse, match="3 animals, of 5, 8, 3 neurons"):
            import_weights(file, wrong)
    names, counts = list(SENSORIUM_SESSIONS), list(SENSORIUM_SESSIONS.values())
    assert _sessions(None, counts) == names
    assert _sessions(None, counts[:5]) == names[:5]
    assert _sessions(None, counts[1:5]) == ["mouse0", "mouse1", "mouse2", "mouse3"]


def test_prefixes_strides_and_half_precision_do_not_matter(file: Path) -> None:
    content = checkpoint()
    expected = dict(content["nn_state_dict"])
    name = "core.blocks.1.conv_pw.0.weight"
    state = {"module." + key: value for key, value in expected.items()}
    padded = torch.zeros(50, 40)
    padded[3:39, 5:11] = expected[name][..., 0, 0, 0]
    state["module." + name] = padded[3:39, 5:11][..., None, None, None]  # a view into a larger storage
    state["module.cortex.layers.0.conv.weight"] = state["module.cortex.layers.0.conv.weight"].half()
    torch.save({**content, "nn_state_dict": OrderedDict(state)}, file)
    read = import_weights(file)[0]["mouse0"].network.state_dict()
    assert torch.equal(read[name], expected[name])
    assert read["cortex.layers.0.conv.weight"].dtype == torch.float32
    torch.testing.assert_close(
        read["cortex.layers.0.conv.weight"], expected["cortex.layers.0.conv.weight"], rtol=1e-3, atol=1e-3
    )


class Runs:
    """Asks, when it is unpickled, for a function to be called."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def attacks(marker: Path) -> dict[str, Any]:
    touch = f"open({str(marker)!r}, 'w').close()"
    return {
        "os": Runs(os.system, f"touch {marker}"),
        "eval": Runs(eval, touch),
        "exec": Runs(exec, touch),
        "getattr": Runs(getattr, Runs(__import__, "os"), "system"),
        "partial": Runs(map, eval, [touch]),
        "open": Runs(builtins.open, str(marker), "w"),
        "load": Runs(torch.load, str(marker)),
        "rebuild": Runs(torch._utils._rebuild_device_tensor_from_numpy, Runs(eval, touch), None, None, None),  # type: ignore[attr-defined]
        "hooks": Runs(
            torch._utils._rebuild_tensor_v2,  # type: ignore[attr-defined]
            torch.zeros(1).storage(),
            0,
            (1,),
            (1,),
            False,
            Runs(eval, touch),
        ),
        "class": pickle.Unpickler,
        "set": {1, 2},
        "device": torch.device("cuda:0"),
    }


@pytest.mark.parametrize(
    "name",
    ["os", "eval", "exec", "getattr", "partial", "open", "load", "rebuild", "hooks", "class", "set", "device"],
)
@pytest.mark.parametrize("place", ["top", "params", "settings", "state", "metadata"])
def test_a_checkpoint_that_would_run_code_is_refused_and_nothing_runs(name: str, place: str, file: Path) -> None:
    marker = file.with_name("was_run")
    content = checkpoint()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old storages
        attack = attacks(marker)[name]
        if place == "top":
            content["more"] = attack
        elif place == "params":
            content["params"]["loss"] = ("mice_poisson", {"weights": [attack]})
        elif place == "settings":
            content["params"]["nn_module"][1]["groups"] = attack
        elif place == "state":
            content["nn_state_dict"]["readouts.0.layer.1.bias"] = attack
        else:
            content["nn_state_dict"]._metadata["core"] = attack
        torch.save(content, file)
    with pytest.raises(BadData, match="it was refused and nothing was run"):
        import_weights(file)
    assert not marker.exists()


def test_the_attacks_would_work_on_a_reader_that_is_not_restricted(file: Path) -> None:
    marker = file.with_name("was_run")
    torch.save({"params": attacks(marker)["os"]}, file)
    torch.load(file, weights_only=False)
    assert marker.exists()


def forge(file: Path, program: bytes) -> None:
    """A PyTorch file with this pickle and no numbers."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch was_run'\ntR.",  # written by hand, in the oldest protocol
        b"(S'touch was_run'\nios\nsystem\n.",  # INST
        b"\x80\x02cos\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02ccollections\nOrderedDict\n)R}(X\x01\x00\x00\x00ak\x01sb.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",  # attributes of a function
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",  # NEWOBJ
        b"\x80\x02}(.",
        b"\x80\x02R.",
        b"\x80\x02]K\x01K\x02s.",
        b"\x80\x02",
        b"",
        b"\xff\xff",
    ],
)
def test_a_forged_program_is_refused_in_one_sentence(program: bytes, file: Path) -> None:
    forge(file, program)
    with pytest.raises(BadData) as caught:
        import_weights(file)
    assert str(file) in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert not Path("was_run").exists()


def changed(**changes: Any) -> dict[str, Any]:
    """A checkpoint with other settings than its tensors have."""
    content = checkpoint()
    content["params"]["nn_module"][1].update(changes)
    return content


def without(*keys: str) -> dict[str, Any]:
    content = checkpoint()
    part = content
    for key in keys[:-1]:
        part = part[key] if key != "nn_module" else part[key][1]
    del part[keys[-1]]
    return content


def with_tensor(name: str, tensor: Any) -> dict[str, Any]:
    content = checkpoint()
    content["nn_state_dict"][name] = tensor
    return content


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda: {"weights": torch.zeros(3)}, "no dict named 'params'"),
        (lambda: [1, 2], "holds no dict at its top"),
        (lambda: without("nn_state_dict"), "no dict named 'nn_state_dict'"),
        (lambda: without("params"), "no dict named 'params'"),
        (lambda: without("params", "nn_module", "groups"), "do not say 'groups'"),
        (lambda: without("params", "frame_stack"), "do not say the windows"),
        (lambda: changed(attention=True), "unknown setting 'attention'"),
        (lambda: changed(expansion_ratio=7), "expansion ratio of 7, but its tensors have one of 6"),
        (lambda: changed(readout_outputs=[5, 8]), "name 2 animals, but it holds 3 readouts"),
        (lambda: changed(readout_outputs=[5, 8, 5]), "'readouts.2.layer.1.weight' .* shape \\(4, 23, 1\\)"),
        (lambda: changed(core_features=[6, 8, 10**12]), "1000000000000 as core_features"),
        (lambda: changed(groups=0), "0 as groups"),
        (lambda: changed(groups=3), "cannot exist"),
        (lambda: changed(spatial_strides=[2, 1]), "cannot exist"),
        (lambda: changed(cortex_features=[20, 46, 46]), "lacks the tensor 'cortex.layers.2"),
        (lambda: without("nn_state_dict", "core.stem.0.weight"), "lacks the tensor 'core.stem.0.weight'"),
        (lambda: with_tensor("core.extra", torch.zeros(2)), "also holds the tensor 'core.extra'"),
        (lambda: with_tensor("core.stem.0.weight", torch.zeros(6, 5, 1, 1, 3)), "shape \\(6, 5, 1, 1, 3\\)"),
        (lambda: with_tensor("core.stem.0.weight", "zero"), "holds 'zero' where the tensor"),
        (lambda: with_tensor("core.stem.0.weight", torch.full((6, 5, 1, 1, 1), torch.nan)), "not finite"),
        (
            lambda: with_tensor("core.stem.0.weight", torch.ones(6, 5, 1, 1, 1).long()),
            "torch.int64 where",
        ),
        (lambda: with_tensor("core.stem.0.weight", torch.ones(1).expand(6, 5, 1, 1, 1)), "damaged at its part"),
    ],
)
def test_a_checkpoint_whose_parts_contradict_each_other_is_refused(
    content: Callable[[], Any], sentence: str, file: Path
) -> None:
    torch.save(content(), file)
    with pytest.raises(BadData, match=sentence) as caught:
        import_weights(file)
    assert str(file) in str(caught.value)


def test_files_that_are_no_checkpoints_are_refused(file: Path) -> None:
    with pytest.raises(BadData, match="cannot be read"):
        import_weights(file)
    file.write_text("<html>404</html>")
    with pytest.raises(BadData, match="not a PyTorch file"):
        import_weights(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadData, match="a zip archive but not a PyTorch file"):
        import_weights(file)
    torch.save(checkpoint(), file, _use_new_zipfile_serialization=False)
    with pytest.raises(BadData, match=r"before 1\.6"):
        import_weights(file)


def test_a_damaged_or_inflated_archive_is_refused(file: Path) -> None:
    torch.save(checkpoint(), file)
    whole = file.read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:length])
        with pytest.raises(BadData, match=r"damaged or was cut short|not a PyTorch file"):
            import_weights(file)
    spoiled = bytearray(whole)
    place = whole.index(small_network().float().core.stem[0].weight.detach().numpy().tobytes())
    spoiled[place] ^= 255
    file.write_bytes(spoiled)
    with pytest.raises(BadData, match="damaged at its part"):
        import_weights(file)
    packed = file.with_name("packed.pth")
    file.write_bytes(whole)
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as deflated:
        for name in archive.namelist():
            deflated.writestr(name, archive.read(name))
    with pytest.raises(BadData, match="compressed archive"):
        import_weights(packed)


def test_plain_containers_come_back_as_they_were(file: Path) -> None:
    content = {"a": [1, -2, 2**40, 2.5, True, None, "x"], "b": (1, ("c", {}), [])}, OrderedDict(k=OrderedDict())
    torch.save(content, file)
    with TorchFile(file) as stored:
        assert stored.content == content
