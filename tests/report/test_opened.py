"""The page in a real browser, opened from disk: whole, inert, accessible, with the clips that lie beside it."""

import functools
import json
import re
import shutil
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import axe_core_python
import pytest
import torch
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab
from tests.report.watching import assert_exact, frame_of, wait_until

from cinecortex.report import ClipView, Page, Panel, Raster, Trace, write_page

pytestmark = pytest.mark.browser


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def heavy_file(tmp_path_factory: pytest.TempPathFactory, page_of_everything: Callable[..., Page]) -> Path:
    """The same page with one clip inside and the other in the folder beside it."""
    path = tmp_path_factory.mktemp("beside") / "a 50 % page.html"
    return write_page(path, page_of_everything(), limit_bytes=1)


def test_a_clip_that_lies_beside_the_page_is_read_from_disk_when_it_is_chosen(
    open_tab: Callable[..., Tab], heavy_file: Path, clips: tuple[ClipView, ...]
) -> None:
    assert len(list(heavy_file.with_name("a 50 % page-clips").iterdir())) == 1
    tab = open_tab(heavy_file)
    assert_exact(tab, clips[0])
    assert tab.locator("script[src]").count() == 0
    tab.get_by_label("Clip", exact=True).select_option("1")
    wait_until(tab, "cinecortex.clip() === 1")
    assert_exact(tab, clips[1], clips[1].burn_in_frames)
    tab.get_by_role("button", name="One frame forward").click()
    assert_exact(tab, clips[1], clips[1].burn_in_frames + 1)
    tab.get_by_role("button", name="Play").click()
    wait_until(tab, "cinecortex.currentFrame() < 5")
    tab.get_by_role("button", name="Pause").click()
    assert_exact(tab, clips[1])
    tab.evaluate("(async () => { await cinecortex.chooseClip(0); await cinecortex.chooseClip(1); })()")
    assert_exact(tab, clips[1])
    assert tab.locator("script[src]").count() == 0


def many_clips(number: int) -> tuple[ClipView, ...]:
    """Small movies of noise that nothing can pack, in groups of fifty."""
    clips = []
    for i in range(number):
        generator = torch.Generator().manual_seed(i)
        noise, values = torch.rand(12, 12, 20, generator=generator), torch.rand(12, generator=generator)
        clips.append(
            ClipView(
                clip_label=f"Clip {i}",
                trial_id=str(i),
                unseen=True,
                panels=(Panel("True movie", noise, true_movie=True), Panel("Reconstruction", noise.flip(0))),
                burn_in_frames=2,
                frame_rate_hz=30.0,
                scores={"map": float(values[0])},
                traces=(Trace("map", "frame correlation", values),),
                raster=Raster("population activity", (255 * noise[:, 0]).to(torch.uint8)),
                group=f"animal {i // 50}",
            )
        )
    return tuple(clips)


def test_350_clips_are_one_light_page_and_any_of_them_is_there_when_chosen(
    open_tab: Callable[..., Tab], page_of_everything: Callable[..., Page], tmp_path: Path
) -> None:
    clips = many_clips(350)
    page = page_of_everything(clips=clips, scored_pixels=None)
    path = write_page(tmp_path / "study.html", page, limit_bytes=1_000_000)
    beside = list((tmp_path / "study-clips").iterdir())
    inside = len(re.findall(r'id="clip-\d', path.read_text(encoding="utf-8")))
    assert len(beside) + inside == 350
    assert min(len(beside), inside) > 50
    assert 900_000 < path.stat().st_size < 1_000_000 < sum(file.stat().st_size for file in beside)
    tab = open_tab(path)
    assert tab.locator("#clip option").count() == 350
    assert tab.locator("#clip optgroup").count() == 7
    for chosen in (349, 200, 3):
        tab.get_by_label("Clip", exact=True).select_option(str(chosen))
        wait_until(tab, f"cinecortex.clip() === {chosen}")
        assert_exact(tab, clips[chosen], 2)


def test_a_page_with_clips_beside_it_can_be_served(
    open_tab: Callable[..., Tab], heavy_file: Path, clips: tuple[ClipView, ...]
) -> None:
    handler = functools.partial(QuietHandler, directory=heavy_file.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tab = open_tab(heavy_file, address=f"http://127.0.0.1:{server.server_port}/a%2050%20%25%20page.html")
        tab.evaluate("cinecortex.chooseClip(1)")
        assert_exact(tab, clips[1])
        server.shutdown()


def test_a_clip_whose_file_is_gone_is_said_and_the_others_remain(
    browser: Browser, heavy_file: Path, tmp_path: Path
) -> None:
    alone = Path(shutil.copy(heavy_file, tmp_path))
    tab = browser.new_page()
    tab.goto(alone.as_uri())
    tab.evaluate("cinecortex.ready")
    tab.get_by_label("Clip", exact=True).select_option("1")
    tab.get_by_role("alert").wait_for()
    assert "keep that folder beside this page" in tab.get_by_role("alert").inner_text()
    assert tab.get_by_label("Clip", exact=True).input_value() == "0"
    tab.get_by_role("button", name="One frame forward").click()
    assert frame_of(tab) == 6
    tab.close()


def test_only_the_page_s_own_script_runs(browser: Browser, heavy_file: Path, tmp_path: Path) -> None:
    text = heavy_file.read_text(encoding="utf-8")
    (tmp_path / "other.js").write_text("window.intruder = 1")
    intruders = (
        '<script>window.intruder = 1</script><script src="other.js"></script><img src=x onerror="window.intruder = 1">'
    )
    changed = tmp_path / "changed.html"
    changed.write_text(text.replace("</main>", f"{intruders}</main>"), encoding="utf-8")
    tab = browser.new_page()
    tab.goto(changed.as_uri())
    tab.evaluate("cinecortex.ready")
    assert tab.evaluate("window.intruder") is None
    tab.close()


def test_the_numbers_can_be_taken_along(tab: Tab, page_of_everything: Callable[..., Page]) -> None:
    for name, text in page_of_everything().downloads.items():
        with tab.expect_download() as waiting:
            tab.get_by_role("link", name=name, exact=True).click()
        assert waiting.value.suggested_filename == name
        assert Path(waiting.value.path()).read_text() == text
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name="a.b.json").nth(1).click()
    assert waiting.value.suggested_filename == "a.b.json"
    content = json.loads(Path(waiting.value.path()).read_text())
    assert (content["verdict"], content["value"], content["null"]["interval"]) == ("refuted", 0.5, [0.0, 0.1])


def test_many_numbers_can_be_taken_along(
    open_tab: Callable[..., Tab], page_of_everything: Callable[..., Page], tmp_path: Path
) -> None:
    many = "".join(f"{i},é\n" for i in range(400_000))
    tab = open_tab(write_page(tmp_path / "many.html", page_of_everything(downloads={"many.csv": many})))
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name="many.csv").click()
    assert Path(waiting.value.path()).read_text(encoding="utf-8") == many


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_accessible(open_tab: Callable[..., Tab], report_file: Path, scheme: str, width: int) -> None:
    tab = open_tab(report_file, color_scheme=scheme, viewport={"width": width, "height": 800})
    tab.get_by_label("Match contrast to the true movie").check()  # its labels, too
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 21, 23)") == (scheme == "dark")
    tab.evaluate((Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    result = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(result["passes"]) > 20  # it looked
    grave = [(v["id"], v["nodes"][0]["html"]) for v in result["violations"] if v["impact"] in ("serious", "critical")]
    assert grave == []


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_it_all_without_scrolling_sideways(
    open_tab: Callable[..., Tab], report_file: Path, width: int
) -> None:
    tab = open_tab(report_file, viewport={"width": width, "height": 800}, device_scale_factor=2, has_touch=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [canvas.bounding_box() for canvas in tab.locator("#panels canvas").all()]
    for box in boxes:
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert (2 * box["width"] / 20) == pytest.approx(round(2 * box["width"] / 20))  # whole device pixels
    for plot in tab.locator(".plot").all():
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 0.6 * width
    for name in ("Play", "One frame back", "One frame forward", "Clip before", "Next clip"):
        button = tab.get_by_role("button", name=name).bounding_box()
        assert button is not None
        assert min(button["width"], button["height"]) >= 32


def test_text_from_metadata_is_inert(
    open_tab: Callable[..., Tab], hostile_page: Callable[[str], Page], tmp_path: Path
) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    tab = open_tab(write_page(tmp_path / "evil.html", hostile_page(evil)))
    assert tab.title() == evil
    assert tab.get_by_role("heading", level=1).inner_text() == evil
    assert tab.locator("#panels .panel-title").first.inner_text() == evil
    assert tab.locator("img").count() == 0
    assert tab.locator("#clip option").first.inner_text() == f"{evil} · trial {evil} · best"
    assert tab.locator("#clip optgroup").first.get_attribute("label") == evil
    assert tab.locator(".quantity").last.inner_text() == evil
    assert tab.locator(".card h3").first.inner_text() == evil
    with tab.expect_download() as waiting:
        tab.locator(".downloads a").first.click()
    assert Path(waiting.value.path()).read_text() == evil
    with tab.expect_download() as waiting:
        tab.locator(".evidence a").first.click()
    assert json.loads(Path(waiting.value.path()).read_text())["claim"] == evil


def test_text_from_metadata_is_inert_in_the_files_beside_the_page(
    open_tab: Callable[..., Tab], hostile_page: Callable[[str], Page], tmp_path: Path
) -> None:
    evil = '"});alert(1);//</script><script>alert(1)</script>\u2028`${alert(1)}'
    tab = open_tab(write_page(tmp_path / "evil.html", hostile_page(evil), limit_bytes=1))
    tab.evaluate("cinecortex.chooseClip(1)")
    assert tab.evaluate("cinecortex.clip()") == 1
    assert tab.locator("#panels .panel-title").first.text_content() == evil


def test_without_script_the_numbers_remain(open_tab: Callable[..., Tab], report_file: Path) -> None:
    tab = open_tab(report_file, java_script_enabled=False)
    assert tab.locator("#player").is_hidden()
    assert tab.get_by_role("cell", name="0.650 0.60 to 0.70").is_visible()
    assert tab.get_by_role("img", name="mask weight of every pixel").is_visible()


def test_a_damaged_movie_is_said_not_shown(open_tab: Callable[..., Tab], report_file: Path, tmp_path: Path) -> None:
    text = report_file.read_text(encoding="utf-8")
    start = text.index('type="text/plain"')
    start = text.index(">", start) + 41
    damaged = tmp_path / "damaged.html"
    damaged.write_text(text[:start] + "AAAA" + text[start + 4 :], encoding="utf-8")
    tab = open_tab(damaged)
    tab.get_by_role("alert").wait_for()
    assert "could not be shown" in tab.get_by_role("alert").inner_text()
