import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.mouse import Mouse
from cinecortex.simulation.other_mouse import OtherMouse
from cinecortex.simulation.session import write_session

SMALL = {"neurons": 12, "clips": 6, "oracle_clips": 3, "oracle_repeats": 3, "test_clips": 3, "seconds": 1.0}


def _load(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sessions") / "a session ä"
    write_session(folder, seed=Seed(7), **SMALL)  # type: ignore[arg-type]
    return folder


def test_every_array_has_the_shape_of_a_sensorium_session(folder: Path) -> None:
    tiers = _load(folder / "meta/trials/tiers.npy")
    assert tiers.dtype.kind == "U"
    assert {t: int((tiers == t).sum()) for t in set(tiers)} == {"train": 6, "oracle": 9, "final_test_main": 3}
    for i in range(18):
        assert _load(folder / f"data/videos/{i}.npy").shape == (36, 64, 30)
        assert _load(folder / f"data/responses/{i}.npy").shape == (12, 30)
        assert _load(folder / f"data/behavior/{i}.npy").shape == (2, 30)
        assert _load(folder / f"data/pupil_center/{i}.npy").shape == (2, 30)
    assert not (folder / "data/videos/18.npy").exists()
    assert len(set(_load(folder / "meta/neurons/unit_ids.npy"))) == 12
    assert _load(folder / "meta/neurons/cell_motor_coordinates.npy").shape == (12, 3)


def test_trials_are_shuffled(folder: Path) -> None:
    tiers = _load(folder / "meta/trials/tiers.npy")
    assert (tiers[1:] != tiers[:-1]).sum() > 3


def test_tiers_share_no_clip_and_no_photograph(folder: Path) -> None:
    shown = _load(folder / "meta/simulation/shown.npy")
    tiers = _load(folder / "meta/trials/tiers.npy")
    content: dict[bytes, list[int]] = {}
    for i in range(18):
        content.setdefault(_load(folder / f"data/videos/{i}.npy").tobytes(), []).append(i)
    assert len(content) == 6 + 3 + 3
    assert all(len({tiers[i] for i in same}) == 1 for same in content.values())
    assert sorted(len(same) for same in content.values()) == [1] * 9 + [3] * 3
    pictures = {t: {s.split(": ")[1] for s in shown[tiers == t]} - {"dead leaves"} for t in set(tiers)}
    assert all(pictures.values())
    assert len(set.union(*pictures.values())) == sum(len(names) for names in pictures.values())


def test_statistics_are_those_of_the_training_trials(folder: Path) -> None:
    train = np.flatnonzero(_load(folder / "meta/trials/tiers.npy") == "train")
    numpy = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max, "median": np.median}
    for kind in ("videos", "responses", "behavior", "pupil_center"):
        arrays = np.concatenate([_load(folder / f"data/{kind}/{i}.npy") for i in train], axis=-1).astype(float)
        for name, function in numpy.items():
            expected = function(arrays) if kind == "videos" else function(arrays, axis=1)
            stored = _load(folder / f"meta/statistics/{kind}/all/{name}.npy")
            np.testing.assert_allclose(stored, expected, rtol=1e-5, atol=1e-6)


def test_facts_and_truth(folder: Path) -> None:
    facts = json.loads((folder / "meta/cinecortex.json").read_text(encoding="utf-8"))
    assert facts["simulated"] == "true"
    assert facts["species"] == "in-silico mouse"
    assert facts["frame_rate_hz"] == 30.0
    assert {"session_id", "subject", "response_unit"} <= set(facts)
    for name in ("orientation_deg", "direction_deg", "spatial_frequency_cycles_per_px", "temporal_frequency_hz"):
        assert _load(folder / f"meta/simulation/{name}.npy").shape == (12,)
    assert _load(folder / "meta/simulation/rf_center_px.npy").shape == (12, 2)
    assert _load(folder / "meta/simulation/is_complex.npy").sum() == 6


def test_stored_rates_are_those_of_the_stored_movies(folder: Path) -> None:
    """The rates of a trial can be had again from its files: the animal saw what is stored, gaze and gray levels too."""
    mouse = Mouse.draw(neurons=12, seed=Seed(7) / "mouse")
    tiers = _load(folder / "meta/trials/tiers.npy")
    rates = {int(path.stem) for path in (folder / "meta/simulation/rates").iterdir()}
    assert rates == set(np.flatnonzero(tiers != "train").tolist())
    i = min(rates)
    movie = torch.from_numpy(_load(folder / f"data/videos/{i}.npy").transpose(2, 0, 1).astype(np.float32) / 255)
    channels = [_load(folder / f"data/{kind}/{i}.npy") for kind in ("behavior", "pupil_center")]
    rate = mouse.rate(movie, torch.from_numpy(np.concatenate(channels).T.copy()))
    np.testing.assert_allclose(_load(folder / f"meta/simulation/rates/{i}.npy"), rate.numpy().T, rtol=1e-5, atol=1e-6)


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_session(tmp_path / "again", seed=Seed(7), **SMALL)  # type: ignore[arg-type]
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_progress_is_told_and_another_mouse_is_taken(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    mouse = OtherMouse.draw(neurons=4, seed=Seed(0))
    write_session(
        tmp_path / "new" / "session",
        seed=Seed(1),
        mouse=mouse,
        clips=2,
        oracle_clips=1,
        oracle_repeats=2,
        test_clips=1,
        seconds=0.5,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(i + 1, 5) for i in range(5)]
    assert _load(tmp_path / "new/session/data/responses/0.npy").shape == (4, 15)


def test_an_existing_folder_is_left_alone(folder: Path) -> None:
    with pytest.raises(WrongUse, match="exists already"):
        write_session(folder, seed=Seed(1))


def test_an_interrupted_session_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_session(tmp_path / "session", seed=Seed(1), progress=stop, **SMALL)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_empty_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="at least one clip"):
        write_session(tmp_path / "session", seed=Seed(1), clips=0)
    assert list(tmp_path.iterdir()) == []
