"""The page as text: whole, deterministic, inert, small; and the coding of its movies."""

import base64
import dataclasses
import functools
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.report import ClipView, Page, Panel, Trace, figures, render_page, write_page
from cinecortex.report.encoding import eight_bit, outline, pack
from cinecortex.report.write import amount, interval, number


def unpack(text: str, coding: str, shape: tuple[int, ...]) -> np.ndarray:
    """What the page's script does, by cumulative sums."""
    frames = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)
    if coding == "both":
        frames = frames.cumsum(axis=2, dtype=np.uint8)
    return frames if coding == "plain" else frames.cumsum(axis=0, dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)),
    kind=st.sampled_from(["noise", "static", "drift"]),
)
def test_packing_loses_nothing(seed: int, shape: tuple[int, int, int], kind: str) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if kind != "noise":
        frames[1:] = frames[:1]
    if kind == "drift":
        frames += np.arange(shape[0], dtype=np.uint8)[:, None, None]
    blob = pack(frames)
    np.testing.assert_array_equal(unpack(blob.text, blob.coding, shape), frames)


def test_every_coding_is_used_where_it_is_shortest() -> None:
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (1, 30, 40), dtype=np.uint8)
    rising = rng.integers(0, 3, (50, 30, 40), dtype=np.uint8).cumsum(2, dtype=np.uint8).cumsum(0, dtype=np.uint8)
    codings = [
        pack(rng.integers(0, 256, (50, 30, 40), dtype=np.uint8)).coding,
        pack(np.repeat(still, 50, 0)).coding,
        pack(rising).coding,
    ]
    assert codings == ["plain", "time", "both"]


def test_eight_bits_are_the_nearest_level_and_nothing_is_stretched() -> None:
    levels = torch.tensor([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 7.0]).reshape(7, 1, 1)
    assert eight_bit(levels).flatten().tolist() == [0, 0, 0, 1, 128, 255, 255]
    dull = torch.full((2, 3, 3), 0.4) + torch.arange(3) / 255
    assert eight_bit(dull).max() == 104
    every = torch.arange(256).reshape(256, 1, 1) / 255
    assert eight_bit(every).flatten().tolist() == list(range(256))


def test_outline_surrounds_the_pixels() -> None:
    one = torch.zeros(3, 4, dtype=torch.bool)
    one[1, 2] = True
    assert sorted(re.findall(r"M[^M]*", outline(one))) == ["M2 1h1", "M2 1v1", "M2 2h1", "M3 1v1"]
    assert outline(torch.zeros(3, 4, dtype=torch.bool)) == ""
    assert outline(torch.ones(3, 4, dtype=torch.bool)).count("M") == 14


def test_same_page_same_bytes(page_of_everything: Callable[..., Page], tmp_path: Path) -> None:
    first, second = (write_page(tmp_path / n, page_of_everything()) for n in ("a.html", "b.html"))
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]
    other = write_page(tmp_path / "a.html", page_of_everything(title="Another"))
    assert b"<h1>Another</h1>" in other.read_bytes()


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    page_of_everything: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_page(tmp_path / "a.html", page_of_everything())
    before = path.read_bytes()

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_page(path, page_of_everything(title="Another"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(WrongUse, match="is not a folder"):
        write_page(tmp_path / "missing" / "a.html", page_of_everything())


def test_nothing_is_asked_of_the_network(page_of_everything: Callable[..., Page]) -> None:
    text = render_page(page_of_everything())
    addresses = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", text))
    assert all(a.startswith(("#", "data:")) for a in addresses)
    assert "default-src 'none'" in text


def test_the_json_in_the_page_is_valid_and_cannot_end_its_script(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    nasty = dataclasses.replace(page.clips[0], clip_label="</script><!--<b>&'\"")
    text = render_page(dataclasses.replace(page, clips=(nasty,)))
    embedded = re.search(r'id="player-data">(.*?)</script>', text, re.DOTALL)
    assert embedded is not None
    assert "<" not in embedded[1]
    data = json.loads(embedded[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data["clips"][0]["label"] == nasty.clip_label
    assert data["clips"][0]["traces"][0]["values"][:6] == [None] * 5 + [pytest.approx(-0.1068, abs=1e-4)]


def test_a_movie_that_is_shown_twice_is_stored_once(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    twice = dataclasses.replace(page, clips=page.clips[:1] * 5)
    one, five = (len(render_page(p)) for p in (dataclasses.replace(page, clips=page.clips[:1]), twice))
    assert five - one < 20_000
    assert render_page(twice).count('type="text/plain"') == 3


def test_noise_stays_within_a_base64_of_its_size() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (300, 36, 64), dtype=np.uint8)
    assert len(pack(frames).text) < 1.34 * frames.size


def test_what_is_not_known_is_shown_as_unknown(page_of_everything: Callable[..., Page]) -> None:
    text = render_page(page_of_everything(simulated=False, recording={"species": "ferret"}))
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert facts["species"] == "ferret"
    assert facts["subject"] == "unknown"
    assert "Recorded animal, species: ferret" in text
    assert "Simulated animal" not in text


def test_clips_that_were_trained_on_are_named(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    seen = dataclasses.replace(page.clips[1], unseen=False)
    text = render_page(dataclasses.replace(page, clips=(page.clips[0], seen)))
    assert "1 of 2 clips shown here were seen in training" in text
    assert "(Clip B)" in text
    assert "unseen in training." not in text


def test_scores_carry_their_interval_and_what_is_missing_is_a_dash(page_of_everything: Callable[..., Page]) -> None:
    text = render_page(page_of_everything())
    assert "interval by bootstrap over clips, 95 %." in text
    rows = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    cells = [re.findall(r'<td class="value">(.*?)</td>', row) for row in rows[1:]]
    assert cells[0] == ["0.650<small>0.60 to 0.70</small>", "–", "18,000", "4.25"]
    assert cells[1] == ["–", "−0.100<small>n = 1</small>", "–", "–"]


def test_a_reader_without_script_is_told_what_is_missing(page_of_everything: Callable[..., Page]) -> None:
    # Whether it is shown is the browser's affair: Playwright switches scripts off too late for <noscript>.
    said = re.search(r"<noscript>(.*?)</noscript>", render_page(page_of_everything()), re.DOTALL)
    assert said is not None
    assert "need JavaScript" in said[1]


def test_an_empty_page_is_a_page() -> None:
    text = render_page(Page(title="Nothing yet", verdict="Nothing was run.", simulated=True))
    assert "<h1>Nothing yet</h1>" in text
    assert 'id="player"' not in text


def test_numbers_for_reading() -> None:
    assert [number(v) for v in (0.12345, -0.5, float("nan"), None)] == ["0.123", "−0.500", "–", "–"]
    assert interval(Interval(0.5, 0.4, 0.6, 0.95, 3)) == "0.40 to 0.60"
    assert interval((-0.1, float("nan"))) == ""
    assert [amount(v) for v in (18_000, 4.25, 0.0, None)] == ["18,000", "4.25", "0", "–"]


def test_panels_that_cannot_run_on_one_clock_are_refused(page_of_everything: Callable[..., Page]) -> None:
    clip = page_of_everything().clips[0]
    with pytest.raises(WrongUse, match="one size"):
        dataclasses.replace(clip, panels=(*clip.panels, Panel("short", torch.zeros(59, 12, 20))))
    with pytest.raises(WrongUse, match="one size"):
        ClipView("empty", "1", True, (), 0, 30.0)
    with pytest.raises(WrongUse, match="NaN"):
        dataclasses.replace(clip, panels=(Panel("broken", torch.full((60, 12, 20), torch.nan)),))
    with pytest.raises(WrongUse, match="60 frames"):
        dataclasses.replace(clip, traces=(Trace("map", "r", torch.zeros(59)),))
    with pytest.raises(WrongUse, match="scored_pixels"):
        render_page(page_of_everything(scored_pixels=torch.ones(3, 3, dtype=torch.bool)))


@functools.cache
def every_figure(_time: int = 1) -> dict[str, str]:
    name = "a<b & $x_1$"
    scores = {name: [0.4, 0.5, float("nan")], "paper": [0.1, 0.2, 0.3]}
    means = {name: Interval(0.45, 0.4, 0.5, 0.95, 2), "paper": Interval(0.2, float("nan"), float("nan"), 0.95, 1)}
    mask = torch.linspace(0, 1, 30).reshape(5, 6)
    ceiling = torch.linspace(0, 1, 3001)
    ceiling[5] = torch.nan
    return {
        "clips": figures.scores_by_clip(scores, metric="r", means=means),
        "masks": figures.scores_by_mask([0.0, 0.5, 1.0], scores, metric="r"),
        "ceiling": figures.encoder_against_ceiling(ceiling / 2, ceiling),
        "mask": figures.mask_picture(mask, mask > 0.5),
        "curves": figures.learning_curves({"a": [0.1, 0.3, 0.2], "b": [float("nan"), 0.2]}),
    }


def test_figures_are_deterministic_well_formed_and_their_ids_their_own() -> None:
    first, second = every_figure(), every_figure(2)
    assert first == second
    ids = []
    for svg in first.values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        ids += [e.get("id") for e in root.iter() if e.get("id")]
        assert "<metadata" not in svg
        assert re.search(r"\d{4}-\d\d-\d\d", svg) is None
        ids_here = {e.get("id") for e in root.iter() if e.get("id")}
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) == ids_here
    assert len(ids) == len(set(ids)) > 8


def test_figures_say_names_as_they_are_and_follow_the_page_into_the_dark() -> None:
    svg = every_figure()["clips"]
    texts = ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]
    assert any("$x_1$" in text for text in texts)
    assert "var(--ink, #1d1c1a)" in svg
    assert "var(--series-1, #0072b2)" in svg
    assert not re.search(r"(?<!, )#(1d1c1a|5a5751|dad6cc|0072b2)", svg)
    assert "2,000 of 3,000 neurons" in every_figure()["ceiling"]


def test_a_point_lies_where_its_number_says() -> None:
    svg = figures.scores_by_mask([0.0, 1.0], {"map": [0.0, 1.0]}, metric="r")
    points = re.findall(r'<use xlink:href="#[\w-]+" x="([\d.]+)" y="([\d.]+)" style="fill: var\(--series-1', svg)
    low, high = points[:2]
    assert float(low[0]) < float(high[0])
    assert float(low[1]) > float(high[1])


def test_figures_refuse_what_cannot_be_drawn() -> None:
    with pytest.raises(WrongUse, match="equal numbers of clips"):
        figures.scores_by_clip({"a": [1.0], "b": [1.0, 2.0]}, metric="r")
    with pytest.raises(WrongUse, match="equal numbers of thresholds"):
        figures.scores_by_mask([0.0], {"a": [1.0, 2.0]}, metric="r")
    with pytest.raises(WrongUse, match="no neuron"):
        figures.encoder_against_ceiling(torch.tensor([0.1]), torch.tensor([torch.nan]))
    with pytest.raises(WrongUse, match="no epoch to draw"):
        figures.learning_curves({"a": []})
