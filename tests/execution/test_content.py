"""The content of an object is what it was made with and the code it runs, and not what it happens to remember."""

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import LinearWorld
from torch import nn

from cinecortex.errors import WrongUse
from cinecortex.execution.content import content_of
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.inversion.averaged import Averaged
from cinecortex.inversion.langevin import Langevin
from cinecortex.inversion.map import MAP
from cinecortex.inversion.paper import Paper
from cinecortex.inversion.priors import Spectral
from cinecortex.inversion.sample import Sample
from cinecortex.seeds import Seed


def digest(thing: Any) -> str:
    return fingerprint(content_of(thing))


@dataclass(frozen=True, eq=False)
class Settings:
    steps: int = 5
    mask: torch.Tensor | None = None

    @cached_property
    def slow(self) -> float:
        return 1.0


class Other(Settings):
    pass


class Plain:
    _remembers = ("found",)

    def __init__(self, size: int) -> None:
        self.size, self._given, self.found = size, [size], {}


class Network(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.scale = nn.Linear(2, 2), scale
        self.register_buffer("rest", torch.zeros(2))


def with_bias(change: float) -> Network:
    network = Network()
    network.layer.bias.data += change
    return network


def scaled(by: float) -> Callable[[float], float]:
    return lambda value: value * by


def kept_in(values: list[int], *, scale: int = 1) -> None:
    pass


SAME = [
    (Settings(), Settings(5)),
    (Settings(mask=torch.ones(2)), Settings(mask=torch.ones(2))),
    (Network(), Network().eval()),
    (Network(), Network().requires_grad_(False)),
    (scaled(2.0), scaled(2.0)),
    ({"a": 1, 3: 2}, {3: 2, "a": 1}),
    ({1, 2}, {2, 1}),
    (Plain(3).__init__, Plain(3).__init__),
]
DIFFERENT = [
    (Settings(), Settings(6)),
    (Settings(), Settings(mask=torch.ones(2))),
    (Settings(), Other()),
    (Network(), Network(2.0)),
    (Network(), with_bias(1e-6)),
    (Plain(3), Plain(4)),
    (scaled(2.0), scaled(3.0)),
    (lambda value: value + 1, lambda value: value + 2),
    (partial(kept_in, [1]), partial(kept_in, [2])),
    (partial(kept_in, scale=1), partial(kept_in, scale=2)),
    (np.sin, np.cos),
    (Settings, Other),
    (Path("a"), "a"),
    (torch.float32, torch.float64),
    (Plain(3).__init__, Plain(4).__init__),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_made_alike_is_alike(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_in_anything_differs(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_what_is_remembered_between_calls_does_not_count() -> None:
    settings, plain = Settings(), Plain(3)
    before = digest(settings), digest(plain)
    assert settings.slow == 1.0
    plain.found["answer"] = 42
    assert (digest(settings), digest(plain)) == before


def test_the_code_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def method(body: str) -> str:
        (tmp_path / "their_method.py").write_text(f"class Theirs:\n    def __call__(self):\n        return {body}\n")
        sys.modules.pop("their_method", None)
        importlib.invalidate_caches()
        # What was read of a file is remembered for as long as the process runs, and no file changes under it.
        content = importlib.import_module("cinecortex.execution.content")
        content._sources.cache_clear()
        return digest(importlib.import_module("their_method").Theirs())

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert method("1 + 1") == method("1 + 1")
    assert method("1 + 1") != method("1 + 2")


def test_the_code_of_what_is_made_at_a_prompt_counts() -> None:
    def at_a_prompt(body: str) -> str:
        script = (
            "from cinecortex.execution.content import content_of\n"
            "from cinecortex.execution.fingerprint import fingerprint\n"
            f"class Mine:\n    def __call__(self):\n        return {body}\n"
            "print(fingerprint(content_of(Mine())))"
        )
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert at_a_prompt("1") != at_a_prompt("2")


def test_what_cannot_be_known_is_refused_with_its_place() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(WrongUse, match=r"the object\[0\]: it holds itself"):
        content_of(endless)
    with pytest.raises(WrongUse, match=r"the object\.steps, of kind generator"):
        content_of(Settings(steps=(_ for _ in ())))  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="kind module"):
        content_of([sys])


def inverters() -> list[Any]:
    world = LinearWorld.make(Seed(0))
    parts = {"encoder": world.encoder, "likelihood": world.likelihood, "prior": world.prior}
    mapped = MAP(**parts, mask=torch.ones(8, 8))
    return [
        mapped,
        Averaged([mapped, MAP(**parts, starts=2)]),
        Sample(**parts, draws=4, iterations=1, evaluations=3, mask=torch.ones(8, 8)),
        Paper(encoders=(world.encoder,), steps=2, mask=torch.ones(8, 8)),
        Langevin(**parts, draws=8, chains=2, warm_up=1, thin=1, descent_evaluations=2),
    ]


def test_every_inversion_has_a_content_that_its_use_does_not_change() -> None:
    observation, seen = LinearWorld.make(Seed(0)).observation, set()
    for inverter in inverters():
        before = digest(inverter)
        inverter(observation, Seed(1))
        assert digest(inverter) == before, inverter.name
        seen.add(before)
    assert len(seen) == 5
    assert [digest(inverter) for inverter in inverters()] == [digest(inverter) for inverter in inverters()]


def test_an_inversion_is_another_with_another_setting_or_prior_or_weight() -> None:
    world = LinearWorld.make(Seed(0))
    parts = {"encoder": world.encoder, "likelihood": world.likelihood, "prior": world.prior}
    digests = {digest(MAP(**parts))}
    digests.add(digest(MAP(**parts, evaluations=99)))
    digests.add(digest(MAP(**{**parts, "prior": Spectral.parametric(world.prior.statistics)})))
    with torch.no_grad():
        world.encoder.offset += 1e-9
    digests.add(digest(MAP(**parts)))
    assert len(digests) == 4


def test_what_somebody_looked_up_is_no_part_of_it():
    thing = Plain(3)
    before = digest(thing)
    thing.__signature__ = inspect.signature(len)  # type: ignore[attr-defined]
    assert digest(thing) == before
