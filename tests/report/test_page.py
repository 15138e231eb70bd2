"""The page as text: whole, deterministic, inert."""

import dataclasses
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.report import ClipView, Page, Panel, Raster, Trace, render_page, write_page
from cinecortex.report.page import Standing
from cinecortex.report.words import amount, interval, number, size


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
    assert "strict-dynamic" not in text


def test_the_json_in_the_page_is_valid_and_cannot_end_its_script(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    nasty = dataclasses.replace(page.clips[0], clip_label="</script><!--<b>&'\"")
    text = render_page(dataclasses.replace(page, clips=(nasty,)))
    embedded = re.search(r'id="player-data">(.*?)</script>', text, re.DOTALL)
    assert embedded is not None
    assert "<" not in embedded[1]
    data = json.loads(embedded[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data["clips"][0]["label"] == nasty.clip_label
    embedded = re.search(r'id="clip-0">(.*?)</script>', text, re.DOTALL)
    assert embedded is not None
    data = json.loads(embedded[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data["traces"][0]["values"][:6] == [None] * 5 + [-0.1068]


def test_a_movie_that_is_shown_twice_is_stored_once(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    twice = dataclasses.replace(page, clips=page.clips[:1] * 5)
    one, five = (len(render_page(p)) for p in (dataclasses.replace(page, clips=page.clips[:1]), twice))
    assert five - one < 20_000
    # Five panels of four movies, one share, one raster.
    assert render_page(twice).count('type="text/plain"') == 6


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


def test_a_card_tells_the_whole_finding(page_of_everything: Callable[..., Page]) -> None:
    cards = re.findall(r"<article.*?</article>", render_page(page_of_everything()), re.DOTALL)
    words = [" ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", card, flags=re.DOTALL).split()) for card in cards]
    assert [word.split()[:2] for word in words] == [["●", "supported"], ["✕", "refuted"], ["○", "undecided"]]
    assert words[1].removesuffix(" 295 bytes") == (
        "✕ refuted It works The movie is not in the neurons. 0.500 r 95 % interval 0.40 to 0.60 n 10 (clip) null 0.000 "
        "(0.00 to 0.10) where the claim is false rule above 0.3 Fixed before the run. numbers a.b.json"
    )
    assert "null none was measured" in words[2]
    assert [card.count("<svg") for card in cards] == [1, 0, 0]


def test_the_verdict_has_word_and_shape_and_consent_is_shown(page_of_everything: Callable[..., Page]) -> None:
    head = re.search(r"<header>.*?</header>", render_page(page_of_everything()), re.DOTALL)
    assert head is not None
    words = " ".join(re.sub(r"<[^>]*>", " ", head[0]).split())
    assert "● supported : The reconstruction tells shapes and motion." in words
    assert "Consent and ethics approval, as stated: approved by the board of the institute, 12/3" in words
    assert "as stated" not in render_page(page_of_everything(consent=""))


def test_standings_are_by_the_first_method_within_a_group(page_of_everything: Callable[..., Page]) -> None:
    page = page_of_everything()
    told = [("", 0.4), ("", math.nan), ("", 0.1), ("", 0.3), ("", 0.2), ("x", 0.9), ("y", 0.5), ("y", 0.6)]
    clips = tuple(
        dataclasses.replace(page.clips[0], group=group, scores={"ridge": -score, "map": score}) for group, score in told
    )
    found = dataclasses.replace(page, clips=clips).standings
    assert [s and s.word for s in found] == ["best", None, "worst", None, "median", None, "worst", "best"]
    assert found[0] == Standing("best", 4, "movie correlation of map")
    assert found[6] == Standing("worst", 2, "movie correlation of map")
    found = dataclasses.replace(page, clips=clips, scores=()).standings
    assert [s and s.word for s in found] == ["worst", None, "best", "median", None, None, "best", "worst"]
    assert dataclasses.replace(page, clips=clips[:1]).standings == (None,)


def test_an_empty_page_is_a_page() -> None:
    text = render_page(Page(title="Nothing yet", verdict="Nothing was run.", simulated=True))
    assert "<h1>Nothing yet</h1>" in text
    assert 'id="player"' not in text


def test_numbers_for_reading() -> None:
    assert [number(v) for v in (0.12345, -0.5, float("nan"), None)] == ["0.123", "−0.500", "–", "–"]
    assert interval(Interval(0.5, 0.4, 0.6, 0.95, 3)) == "0.40 to 0.60"
    assert interval((-0.1, float("nan"))) == ""
    assert [amount(v) for v in (18_000, 4.25, 0.0, None)] == ["18,000", "4.25", "0", "–"]
    assert [size("é" * n) for n in (2, 499, 500, 60_000, 600_000)] == [
        "4 bytes",
        "998 bytes",
        "1 kB",
        "120 kB",
        "1.2 MB",
    ]


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
    with pytest.raises(WrongUse, match="raster"):
        dataclasses.replace(clip, raster=Raster("activity", torch.zeros(59, 3, dtype=torch.uint8)))
    with pytest.raises(WrongUse, match="several true movies"):
        dataclasses.replace(clip, panels=clip.panels[:1] * 2)
    with pytest.raises(WrongUse, match=r"data share .* has size"):
        dataclasses.replace(clip.panels[0], share=torch.zeros(59, 12, 20))
    for share in (1.1, -0.1, float("nan")):
        with pytest.raises(WrongUse, match="not between 0 and 1"):
            dataclasses.replace(clip.panels[0], share=torch.full((60, 12, 20), share))
    for top in (0.0, -1.0, float("nan")):
        with pytest.raises(WrongUse, match="drawn as white"):
            dataclasses.replace(clip.panels[0], top=top)
    with pytest.raises(WrongUse, match="scored_pixels"):
        page_of_everything(scored_pixels=torch.ones(3, 3, dtype=torch.bool))
