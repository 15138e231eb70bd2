"""A fingerprint follows the content, all of it, and nothing else."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.seeds import Seed

RATES = np.arange(6, dtype=np.float32).reshape(2, 3)


def content() -> dict[str, Any]:
    return {
        "encoder": "0123456789abcdef",
        "observation": {"response": RATES, "heard": np.array([True, False, True])},
        "settings": {"prior": "spectral", "weight": 1.0, "steps": 50, "mask": None, "sides": [36, 64]},
        "seed": Seed(7) / "controls" / "trial 3",
        "version": "0.1.0",
    }


GOLDEN = "1d8bcdabc560ea0368f6f77f4cd557ae"
CHANGES = {
    "another encoder": {"encoder": "0123456789abcdee"},
    "one response": {"observation": {"response": RATES + np.eye(2, 3, dtype=np.float32) * 1e-6, "heard": [True]}},
    "one neuron unheard": {"observation": {"response": RATES, "heard": np.array([True, False, False])}},
    "a setting": {"settings": {"prior": "spectral", "weight": 1.0, "steps": 51, "mask": None, "sides": [36, 64]}},
    "a setting more": {"settings": {**content()["settings"], "draws": 8}},
    "a setting less": {"settings": {"prior": "spectral", "weight": 1.0, "steps": 50, "mask": None}},
    "an order that matters": {"settings": {**content()["settings"], "sides": [64, 36]}},
    "another root": {"seed": Seed(8) / "controls" / "trial 3"},
    "another stream": {"seed": Seed(7) / "controls" / "trial 4"},
    "names cut elsewhere": {"seed": Seed(7) / "controls/trial 3"},
    "another version": {"version": "0.1.1"},
    "something more": {"answer": None},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_of_what_goes_in_changes_it(change: dict[str, Any]) -> None:
    assert fingerprint({**content(), **change}) != fingerprint(content())


def test_all_changes_differ_from_each_other() -> None:
    digests = {fingerprint({**content(), **change}) for change in CHANGES.values()}
    assert len(digests) == len(CHANGES)


def test_every_single_bit_of_an_array_counts() -> None:
    digests = {fingerprint({"a": RATES})}
    for bit in range(RATES.nbytes * 8):
        raw = bytearray(RATES.tobytes())
        raw[bit // 8] ^= 1 << bit % 8
        digests.add(fingerprint({"a": np.frombuffer(raw, np.float32).reshape(RATES.shape)}))
    assert len(digests) == 1 + RATES.nbytes * 8


DIFFERENT = [
    ({"a": 1}, {"a": 1.0}),
    ({"a": 1}, {"a": True}),
    ({"a": 0.0}, {"a": -0.0}),
    ({"a": None}, {}),
    ({"a": "1"}, {"a": 1}),
    ({"a": [1, [2]]}, {"a": [1, 2]}),
    ({"a": {"b": 1}}, {"a": [["b", 1]]}),
    ({"a": b"x"}, {"a": "x"}),
    ({"a": RATES}, {"a": RATES.T}),
    ({"a": RATES}, {"a": RATES.reshape(3, 2)}),
    ({"a": RATES}, {"a": RATES.astype(np.float64)}),
    ({"a": RATES}, {"a": RATES.tolist()}),
    ({"a": RATES}, {"a": RATES.view(np.int32)}),
    ({"a": torch.zeros(2, dtype=torch.bfloat16)}, {"a": torch.zeros(2, dtype=torch.float16)}),
    ({"a": torch.zeros(2, dtype=torch.bfloat16)}, {"a": torch.zeros(2, dtype=torch.int16)}),
    ({"a": Seed(7)}, {"a": [7]}),
    ({"a": Seed(7)}, {"a": {"seed": [7]}}),
    ({"a": {"mapping": {}}}, {"a": {}}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=str)
def test_what_looks_alike_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(one) != fingerprint(other)


SAME = [
    ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
    ({"a": (1, 2)}, {"a": [1, 2]}),
    ({"a": RATES}, {"a": np.asfortranarray(RATES)}),
    ({"a": RATES}, {"a": RATES.astype(">f4")}),
    ({"a": RATES}, {"a": torch.from_numpy(RATES)}),
    ({"a": RATES}, {"a": torch.from_numpy(RATES.T.copy()).T.requires_grad_()}),
    ({"a": np.int64(3), "b": np.float64(0.1)}, {"a": 3, "b": 0.1}),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_what_is_the_same_content_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_it_is_the_same_in_every_process_and_release() -> None:
    # A golden value of our own: caches of earlier releases are addressed by it.
    assert fingerprint(content()) == GOLDEN
    script = "from cinecortex.execution.fingerprint import fingerprint; print(fingerprint({'b': 1, 'a': 2}))"
    # The hash of a word differs from process to process; this one's differs from the salted one's.
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == fingerprint({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("odd", "where"),
    [
        ({"settings": {"prior": object()}}, "settings.prior"),
        ({"trials": [1, {2}]}, r"trials\[1\]"),
        ({"names": np.array(["a"])}, "names.*array of <U1"),
        ({"settings": {1: "a"}}, "settings has 1"),
        ({"objects": np.array([None])}, "array of object"),
    ],
)
def test_what_it_cannot_read_it_refuses_and_says_where(odd: dict[str, Any], where: str) -> None:
    with pytest.raises(WrongUse, match=where):
        fingerprint(odd)
