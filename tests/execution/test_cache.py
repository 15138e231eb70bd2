"""What is kept comes back bit by bit, or is known to be damaged."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from cinecortex.errors import BadData, WrongUse
from cinecortex.execution.cache import Answer, Cache

KEY, OTHER = "0123456789abcdef" * 2, "ff23456789abcdef" * 2
FACTS = {"ended": "converged", "energy": -12.5, "steps": [1, 2], "mask": None}


def answer(value: float = 0.5) -> Answer:
    movie = np.full((2, 3, 4), value, dtype=np.float32)
    return Answer({"movie": movie, "seen": np.array([True, False]), "scale": np.array(value)}, FACTS)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, said: list[str]) -> Cache:
    return Cache(tmp_path / "answers", said.append)


def same(one: Answer | None, other: Answer) -> bool:
    return (
        one is not None
        and one.facts == other.facts
        and one.arrays.keys() == other.arrays.keys()
        and all(
            one.arrays[name].tobytes() == array.tobytes()
            and (one.arrays[name].dtype, one.arrays[name].shape) == (array.dtype, array.shape)
            for name, array in other.arrays.items()
        )
    )


def test_an_answer_comes_back_as_it_was(cache: Cache) -> None:
    assert cache.read(KEY) is None
    assert not cache.holds(KEY)
    cache.write(KEY, answer())
    assert same(cache.read(KEY), answer())
    assert cache.holds(KEY)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint64", "int64", "float16", "float32", "float64"])
def test_every_kind_and_layout_of_array_is_kept(cache: Cache, kind: str) -> None:
    values = np.arange(6).reshape(2, 3).astype(kind)
    arrays = {"plain": values, "turned": values.T, "one": values[0, 0], "none": values[:0], "some": values[:, ::2]}
    cache.write(KEY, Answer(arrays))
    read = cache.read(KEY)
    assert read is not None
    for name, array in arrays.items():
        assert read.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(read.arrays[name], array, strict=False)
        assert read.arrays[name].shape == np.shape(array)


def test_numbers_that_are_not_numbers_and_foreign_byte_order_survive(cache: Cache) -> None:
    values = np.array([np.nan, -np.inf, -0.0], dtype=">f8")
    cache.write(KEY, Answer({"a": values}))
    read = cache.read(KEY)
    assert read is not None
    assert read.arrays["a"].astype("<f8").tobytes() == values.astype("<f8").tobytes()


def test_writing_again_replaces(cache: Cache) -> None:
    cache.write(KEY, answer(0.25))
    cache.write(KEY, answer(0.75))
    assert same(cache.read(KEY), answer(0.75))
    assert list(cache.keys()) == [KEY]


def test_it_lists_its_keys_and_its_size(cache: Cache) -> None:
    assert (list(cache.keys()), cache.size_bytes()) == ([], 0)
    cache.write(OTHER, answer())
    cache.write(KEY, answer())
    assert list(cache.keys()) == [KEY, OTHER]
    assert cache.size_bytes() == sum(cache.path(key).stat().st_size for key in (KEY, OTHER))


def test_a_cut_entry_is_found_wherever_it_is_cut(cache: Cache, said: list[str]) -> None:
    cache.write(KEY, answer())
    whole = cache.path(KEY).read_bytes()
    for length in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
        cache.path(KEY).write_bytes(whole[:length])
        assert cache.read(KEY) is None, length
        assert not cache.path(KEY).exists()
    assert len(said) == 7
    assert all("damaged" in sentence and sentence.endswith("and is made again.") for sentence in said)


def test_no_flipped_bit_comes_back_as_an_answer(cache: Cache) -> None:
    cache.write(KEY, answer())
    whole = cache.path(KEY).read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        cache.path(KEY).write_bytes(flipped)
        read = cache.read(KEY)
        assert read is None or same(read, answer()), f"byte {place}"
        if place >= len(whole) - 24 * 4:
            assert read is None, f"byte {place} is one of the movie's"


def test_a_damaged_entry_is_set_aside_and_made_again(cache: Cache, said: list[str]) -> None:
    cache.write(KEY, answer())
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:-4] + b"oops")
    assert not cache.holds(KEY)
    assert said == [
        f"{path.name} in the cache is not what was written: the digest of its content differs; "
        f"it was set aside as {path.name}.damaged and is made again."
    ]
    assert path.with_name(f"{path.name}.damaged").exists()
    assert list(cache.keys()) == []
    cache.write(KEY, answer())
    assert same(cache.read(KEY), answer())


def test_the_answer_of_another_key_is_no_answer(cache: Cache, said: list[str]) -> None:
    cache.write(KEY, answer())
    cache.path(OTHER).parent.mkdir()
    cache.path(KEY).rename(cache.path(OTHER))
    assert cache.read(OTHER) is None
    assert "does not say that it answers its key" in said[0]


def test_a_writer_that_dies_leaves_the_former_answer(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(KEY, answer(0.25))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(KeyboardInterrupt):
        cache.write(KEY, answer(0.75))
    assert same(cache.read(KEY), answer(0.25))
    assert list(cache.path(KEY).parent.iterdir()) == [cache.path(KEY)]


def test_what_a_killed_writer_left_is_no_answer_and_is_swept_after_a_day(cache: Cache) -> None:
    cache.write(KEY, answer())
    left = cache.path(KEY).with_name(f".{KEY}.dead.unfinished")
    left.write_bytes(b"half")
    assert list(cache.keys()) == [KEY]
    assert cache.sweep() == 0
    assert left.exists()
    os.utime(left, (0, 0))
    assert cache.sweep() == 1
    assert not left.exists()
    assert cache.holds(KEY)


def test_writers_and_readers_of_one_key_do_no_harm(cache: Cache, said: list[str]) -> None:
    cache.write(KEY, answer(0.0))
    values = [0.25, 0.5, 0.75]
    odd: list[object] = []

    def write(value: float) -> None:
        for _ in range(10):
            cache.write(KEY, answer(value))

    def read() -> None:
        for _ in range(30):
            found = cache.read(KEY)
            if found is None or not any(same(found, answer(value)) for value in (0.0, *values)):
                odd.append(found)

    threads = [threading.Thread(target=write, args=[value]) for value in values] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
    assert said == []
    assert [path.name for path in cache.path(KEY).parent.iterdir()] == [cache.path(KEY).name]


def test_no_key_leads_out_of_the_folder(cache: Cache) -> None:
    for key in ("", "..", "../" * 6 + "etc/passwd", "A" * 32, "abc", "/" * 32):
        with pytest.raises(WrongUse, match="is not a key"):
            cache.path(key)


def test_what_cannot_be_kept_is_refused(cache: Cache) -> None:
    with pytest.raises(WrongUse, match="'words'"):
        cache.write(KEY, Answer({"words": np.array(["a"])}))
    with pytest.raises(WrongUse, match="'objects'"):
        cache.write(KEY, Answer({"objects": np.array([None])}))
    with pytest.raises(WrongUse, match="what JSON can hold"):
        cache.write(KEY, Answer({}, {"energy": float("nan")}))
    with pytest.raises(WrongUse, match="what JSON can hold"):
        cache.write(KEY, Answer({}, {"path": Path()}))
    assert list(cache.keys()) == []


def test_a_folder_that_cannot_be_written_is_bad_data(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BadData, match="cannot be written"):
        Cache(tmp_path / "file").write(KEY, answer())
