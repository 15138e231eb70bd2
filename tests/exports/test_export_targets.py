"""Which files are written, what is never overwritten, and what is refused."""

from __future__ import annotations

import pytest
import zarr
import zarr.errors

from cinecortex.errors import BadData, WrongUse
from cinecortex.exports import FORMATS, Request, export
from cinecortex.exports.run import ENDINGS

OF_RESULTS = [name for name in FORMATS if name not in ("csv", "svg")]


@pytest.mark.parametrize("kind", OF_RESULTS)
def test_every_trial_has_a_file_whatever_its_id(store, tmp_path, kind):
    seen = []
    paths = export(store(), kind, tmp_path / "all", progress=lambda *told: seen.append(told))
    ending = ".av1.mp4" if kind == "av1" else ENDINGS[kind][0]
    assert [path.name for path in paths] == [f"trial-5{ending}", f"trial-a%2Fb{ending}"]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted(path.name for path in paths)
    assert seen == [(number, 2, path.name) for number, path in enumerate(paths, 1)]
    # Again: these are ours, so they are replaced.
    assert export(store(), kind, tmp_path / "all") == paths
    if kind != "nwb":
        (std,) = export(store(), kind, tmp_path / "all", request=Request(trials=["5"], variable="std"))
        assert std.name == f"trial-5-std{ending}"


@pytest.mark.parametrize("kind", OF_RESULTS)
def test_what_something_else_wrote_is_kept(store, tmp_path, kind):
    path = tmp_path / f"mine{ENDINGS[kind][0]}"
    for content in (b"", b"mine", b'"cinecortex.export/1:other"'):
        path.write_bytes(content)
        with pytest.raises(WrongUse, match="exists and was not written by an export of this kind"):
            export(store(), kind, path, request=Request(trials=["5"]))
        assert path.read_bytes() == content
    path.unlink()
    path.mkdir()
    with pytest.raises(WrongUse, match="exists and was not written"):
        export(store(), kind, path, request=Request(trials=["5"]))


def test_one_refusal_stops_before_any_file_is_written(store, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all/trial-a%2Fb.gif").write_text("mine")
    with pytest.raises(WrongUse, match=r"trial-a%2Fb\.gif exists"):
        export(store(), "gif", tmp_path / "all")
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["trial-a%2Fb.gif"]


def test_several_trials_do_not_go_into_one_file(store, tmp_path):
    with pytest.raises(WrongUse, match=r"holds 2 of the trials asked for, and .*all\.mp4 is one file"):
        export(store(), "mp4", tmp_path / "all.mp4")
    assert not (tmp_path / "all.mp4").exists()


@pytest.mark.parametrize(
    ("kind", "request_", "error", "said"),
    [
        ("mp5", Request(), WrongUse, "--format 'mp5' is unknown; the nearest is 'mp4'"),
        ("mp4", Request(trials=["6"]), WrongUse, "--trials '6' is not in .*; it has 5, a/b"),
        ("mp4", Request(variable="mask"), WrongUse, "--variable 'mask' is not in .*; it has movie, lower, std"),
        ("gif", Request(variable="std", trials=["a/b"]), BadData, "has no std for trial a/b"),
    ],
)
def test_what_is_not_there_is_refused(store, tmp_path, kind, request_, error, said):
    with pytest.raises(error, match=said):
        export(store(), kind, tmp_path / "out", request=request_)
    assert not list(tmp_path.glob("out/*"))


def test_an_older_result_does_not_know_its_rate_and_can_be_told(store, tmp_path):
    result = store()
    group = zarr.open_group(result, mode="a", use_consolidated=False)
    del group["frame_rate_hz"]
    with pytest.warns(zarr.errors.ZarrUserWarning):
        zarr.consolidate_metadata(result)
    with pytest.raises(BadData, match=r"does not say its frame rate .*; add --frame-rate-hz"):
        export(result, "gif", tmp_path / "out")
    paths = export(result, "gif", tmp_path / "out", request=Request(frame_rate_hz=25.0))
    assert b'"frame_rate_hz": 25.0' in paths[0].read_bytes().replace(b"\xff", b"")


def test_nothing_half_written_is_left(store, tmp_path, monkeypatch):
    def broken(path, clip, *, scale):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinecortex.exports.run.write_gif", broken)
    with pytest.raises(BadData, match=r"trial-5\.gif cannot be written \(No space left on device\)"):
        export(store(), "gif", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
