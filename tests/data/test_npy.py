"""Single arrays, read by several threads at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cinecortex.data.npy import read_array


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    "array", [np.arange(24.0).reshape(2, 3, 4), np.asfortranarray(np.eye(3)), np.zeros((0, 3)), np.array(2)]
)
def test_an_array_comes_back_as_numpy_reads_it(tmp_path: Path, array: np.ndarray, mapped: bool) -> None:
    np.save(tmp_path / "a.npy", array)
    found = read_array(tmp_path / "a.npy", mapped=mapped)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, np.load(tmp_path / "a.npy", allow_pickle=False))


def test_no_two_threads_parse_a_header_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.arange(6))
    parse, inside, most = np.lib.format.read_array_header_1_0, threading.Semaphore(1), []

    def slowly(file: object) -> object:
        most.append(inside.acquire(blocking=False))
        time.sleep(0.002)
        found = parse(file)
        if most[-1]:
            inside.release()
        return found

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", slowly)
    with ThreadPoolExecutor(4) as pool:
        arrays = list(pool.map(lambda _: read_array(tmp_path / "a.npy"), range(12)))
    assert all(most)
    assert len(most) == 12
    assert all(np.array_equal(array, np.arange(6)) for array in arrays)
