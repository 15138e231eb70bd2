"""A device that is none: tensors say that they are elsewhere, and are computed with by the processor.

Nothing may mix with tensors of the processor, just as on a graphics card, so that what forgets to move something is
found where there is no card. It says nothing about speed or memory, about kernels that only a card has, or about
Langevin chains, which draw their random numbers where they compute; this device has none of its own. Run as a
module it inverts the same observation in several ways on both devices, and prints for each by how much they differ.

In a process of its own: torch has room for one such device, and it cannot be taken out again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import torch
from tests.inversion.test_linearised import CHANNELS, around_a_movie
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.identifiability.measure import measure_information
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.sample import Sample
from cinecortex.recording import Observation
from cinecortex.seeds import Seed

NAME = "standin"
PROCESSOR = torch.device("cpu")
aten = torch.ops.aten


class Elsewhere(torch.Tensor):
    """A tensor of the stand-in."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Elsewhere:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    # What torch does not dispatch.
    def untyped_storage(self) -> Any:
        return self.held.untyped_storage()

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        places = set()

        def held(value: Any) -> Any:
            if isinstance(value, Elsewhere):
                places.add(NAME)
                return value.held
            if isinstance(value, torch.Tensor) and value.dim():  # single numbers may come from anywhere
                places.add("cpu")
            return PROCESSOR if isinstance(value, torch.device) else value

        own, named = tree_map(held, args), tree_map(held, kwargs)
        if len(places) > 1 and func is not aten.copy_.default:
            raise RuntimeError(f"{func} of tensors on both devices.")
        # The mark "conjugated" of a held tensor would be lost.
        found = (aten.conj_physical.default if func is aten._conj.default else func)(*own, **named)
        if func._schema.is_mutable:
            return kwargs.get("out", args[0])
        if "device" in kwargs and torch.device(kwargs["device"]).type == "cpu":
            return found
        return tree_map(lambda value: Elsewhere(value) if isinstance(value, torch.Tensor) else value, found)


def register() -> torch.library.Library:
    """Make the device known to torch, for as long as what is returned is kept."""
    _setup_privateuseone_for_python_backend(NAME)
    getattr(torch, NAME).get_amp_supported_dtype = lambda: [torch.bfloat16]
    library = torch.library.Library("aten", "IMPL")

    def maker(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def made(*args: Any, pin_memory: Any = None, **kwargs: Any) -> torch.Tensor:
            return Elsewhere(make(*args, **{**kwargs, "device": PROCESSOR}))

        return made

    def copied(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        plain = [each.held if isinstance(each, Elsewhere) else each for each in (source, target)]
        plain[1].copy_(plain[0])
        return target

    makers = {
        "empty.memory_format": aten.empty.memory_format,
        "empty_strided": aten.empty_strided.default,
        "_efficientzerotensor": aten.zeros.default,
        "arange": aten.arange.default,
        "arange.start": aten.arange.start,
        "arange.start_step": aten.arange.start_step,
        "scalar_tensor": aten.scalar_tensor.default,
    }
    for name, make in makers.items():
        library.impl(name, maker(make), "PrivateUse1")
    library.impl("_copy_from", copied, "PrivateUse1")
    return library


def moved(encoder: CompactEncoder) -> CompactEncoder:
    """The encoder on the stand-in."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    return copy.deepcopy(encoder).to(NAME)


def posed() -> tuple[CompactEncoder, Linearised, Observation]:
    """An encoder, something around a movie, and what was recorded."""
    around = around_a_movie(CompactEncoder, coarse=2)
    encoder = around.encoder
    assert isinstance(encoder, CompactEncoder)
    frames = around._behavior.shape[0]
    observation = Observation(
        response=torch.rand(frames, encoder.neurons, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
        behavior=around._behavior,
        behavior_channels=CHANNELS,
        frame_rate_hz=30.0,
        frame_size=encoder.frame_size,
        heard=torch.ones(encoder.neurons, dtype=torch.bool),
    )
    return encoder, around, observation


def main() -> None:
    """Print the largest difference between the devices for every method, as JSON."""
    library = register()
    here, around, observation = posed()
    prior, likelihood = around.prior, Poisson(torch.ones(here.neurons, dtype=torch.float64))
    given = {"likelihood": likelihood, "prior": prior, "evaluations": 10}
    gray = torch.ones(here.frame_size)

    def ensemble(encoder: CompactEncoder) -> Ensemble:
        return Ensemble([encoder, encoder])

    def information(encoder: Encoder) -> torch.Tensor:
        white = around.position.to(encoder.device)
        there = Linearised(encoder, likelihood, prior, observation, white)
        found = measure_information(there, probes=2, steps=5, seed=Seed(0))
        return torch.tensor([found.bits, found.dimensions])

    methods: dict[str, Callable[[CompactEncoder], torch.Tensor]] = {
        "map": lambda e: MAP(encoder=e, starts=2, **given)(observation, Seed(0)).movie,
        "map, gradients averaged": lambda e: (
            MAP(encoder=ensemble(e), average="likelihoods", **given)(observation, Seed(0)).movie
        ),
        "mask": lambda e: MAP(encoder=e, **given).mask.cpu(),
        "sample": lambda e: _std(Sample(encoder=ensemble(e), draws=4, **given)(observation, Seed(0))),
        "sample, each descended to": lambda e: _std(
            Sample(encoder=e, draws=2, linear=False, **given)(observation, Seed(0))
        ),
        "paper": lambda e: Paper(encoders=(e,), mask=gray, steps=3)(observation, Seed(0)).movie,
        "information": information,
    }
    differences: dict[str, float | str] = {}
    for name, method in methods.items():
        there = method(moved(here))
        differences[name] = float((method(here) - there).abs().max()) if type(there) is torch.Tensor else "not here"
    forgotten = moved(here)
    forgotten.centre_px = forgotten.centre_px.cpu()
    try:
        methods["map"](forgotten)
    except RuntimeError as error:
        differences["forgotten"] = str(error)
    print(json.dumps(differences))
    del library


def _std(answer: Any) -> torch.Tensor:
    assert answer.std is not None
    return torch.stack([answer.movie, answer.std])


if __name__ == "__main__":
    main()
