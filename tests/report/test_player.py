"""The page in a real browser, opened from disk."""

import dataclasses
import functools
import json
import shutil
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import axe_core_python
import numpy as np
import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from cinecortex.report import ClipView, Page, Panel, write_page
from cinecortex.report.encoding import contrast_line, eight_bit, fade, matched

pytestmark = pytest.mark.browser

READ = """() => cinecortex.panels().map(({canvas}) => Array.from(
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data))"""

# Two animation frames of a movie that plays must show every panel at one and the same frame.
WATCH = """(frames) => new Promise((resolve) => {
    const seen = [];
    const corner = ({canvas}) => canvas.getContext('2d').getImageData(0, 0, 1, 1).data[0];
    const look = () => {
        seen.push([cinecortex.currentFrame(), ...cinecortex.panels().slice(0, 2).map(corner),
                   ...cinecortex.panels().map(({frame}) => frame)]);
        if (seen.length < frames) requestAnimationFrame(look); else resolve(seen);
    };
    requestAnimationFrame(look);
})"""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def shown(tab: Tab) -> list[np.ndarray]:
    """Pixels of every canvas, after checking that they are opaque grays."""
    sizes = tab.evaluate("cinecortex.panels().map(({canvas}) => [canvas.height, canvas.width])")
    frames = []
    for (height, width), data in zip(sizes, tab.evaluate(READ), strict=True):
        colors = np.array(data, dtype=np.uint8).reshape(height, width, 4)
        assert (colors[..., 3] == 255).all()
        assert (colors[..., :3] == colors[..., :1]).all()
        frames.append(colors[..., 0])
    return frames


def wait_until(tab: Tab, condition: str) -> None:
    """Playwright's own wait evaluates text inside the page, which the page's security policy forbids."""
    tab.evaluate(f"""() => new Promise((resolve, reject) => {{
        const late = performance.now() + 20000;
        const look = (now) => {{
            if ({condition}) resolve(); else if (now > late) reject(new Error("waited in vain"));
            else requestAnimationFrame(look);
        }};
        requestAnimationFrame(look);
    }})""")


def frame_of(tab: Tab) -> int:
    return int(tab.evaluate("cinecortex.currentFrame()"))


def stored(panel: Panel) -> np.ndarray:
    """What the panel has to show."""
    frames = eight_bit(panel.movie, top=panel.top)
    return frames if panel.share is None else fade(frames, eight_bit(panel.share))


def raster(tab: Tab) -> np.ndarray:
    data = tab.evaluate("""() => { const canvas = document.querySelector(".raster");
        return [canvas.height, canvas.width,
                Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)]; }""")
    height, width, colors = data
    return np.array(colors, dtype=np.uint8).reshape(height, width, 4)[..., 0]


def assert_exact(tab: Tab, clip: ClipView, frame: int | None = None) -> None:
    """Every canvas holds the stored frame, bit for bit."""
    number = frame_of(tab)
    assert frame is None or number == frame
    pixels = shown(tab)
    assert len(pixels) == len(clip.panels)
    for panel, canvas in zip(clip.panels, pixels, strict=True):
        np.testing.assert_array_equal(canvas, stored(panel)[number], panel.title)
    np.testing.assert_array_equal(raster(tab), 255 - clip.raster.values.T.numpy())
    assert f"frame {number} of" in tab.locator("#counter").inner_text().replace("\u2007", "")


@pytest.fixture
def clips(page_of_everything: Callable[..., Page]) -> tuple[ClipView, ...]:
    return page_of_everything().clips


@pytest.fixture
def tab(open_tab: Callable[..., Tab], report_file: Path) -> Tab:
    return open_tab(report_file)


def test_every_panel_shows_the_stored_frame_wherever_the_clock_is_put(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    assert_exact(tab, clips[0], clips[0].burn_in_frames)
    for frame in (0, 1, 37, 59, 2):
        tab.evaluate("(i) => cinecortex.showFrame(i)", frame)
        assert_exact(tab, clips[0], frame)
    for beyond, frame in ((-3, 0), (600, 59)):
        tab.evaluate("(i) => cinecortex.showFrame(i)", beyond)
        assert_exact(tab, clips[0], frame)


def test_scrub_and_step(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    tab.locator("#scrub").fill("41")
    assert_exact(tab, clips[0], 41)
    tab.get_by_role("button", name="One frame forward").click()
    assert_exact(tab, clips[0], 42)
    for frame in (41, 40):
        tab.get_by_role("button", name="One frame back").click()
        assert_exact(tab, clips[0], frame)
    box = tab.locator("#scrub").bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    assert_exact(tab, clips[0], 59)


def test_panels_are_in_step_while_playing_and_exact_after_pause(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    tab.get_by_role("button", name="Play").click()
    seen = tab.evaluate(WATCH, 40)
    tab.get_by_role("button", name="Pause").click()
    assert all(len(set(row)) == 1 for row in seen)
    numbers = [row[0] for row in seen]
    assert len(set(numbers)) > 3
    assert_exact(tab, clips[0])
    stopped = frame_of(tab)
    assert {row[0] for row in tab.evaluate(WATCH, 5)} == {stopped}


def test_the_movie_loops_and_stops_at_its_end_when_asked_to(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    tab.get_by_label("Speed").select_option("2")
    tab.evaluate("cinecortex.showFrame(50)")
    tab.get_by_role("button", name="Play").click()
    wait_until(tab, "cinecortex.currentFrame() < 40")
    assert tab.evaluate("cinecortex.playing()")
    tab.get_by_role("button", name="Pause").click()
    assert_exact(tab, clips[0])
    tab.get_by_label("Loop").uncheck()
    tab.evaluate("cinecortex.showFrame(50)")
    tab.get_by_role("button", name="Play").click()
    wait_until(tab, "!cinecortex.playing()")
    assert_exact(tab, clips[0], 59)
    tab.get_by_role("button", name="Play").click()  # from the end it starts anew
    wait_until(tab, "cinecortex.currentFrame() < 50")


def test_playing_moves_at_the_frame_rate(tab: Tab) -> None:
    tab.get_by_label("Speed").select_option("0.1")
    tab.evaluate("cinecortex.showFrame(0)")
    # 30 Hz at a tenth: the n-th frame must not be up before n / 3 seconds; how much later is the machine's affair.
    early = tab.evaluate("""() => new Promise((resolve) => {
        cinecortex.play();
        requestAnimationFrame((start) => {
            const look = (now) => {
                const frame = cinecortex.currentFrame();
                if (frame >= 3) resolve((now - start) / 1000); else requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
        });
    })""")
    assert early > 0.9


def test_keyboard(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    tab.locator("#player").focus()
    for key, frame in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 11),
        ("ArrowLeft", 10),
        ("Shift+ArrowLeft", 0),
        ("ArrowLeft", 0),
        ("End", 59),
    ):
        tab.keyboard.press(key)
        assert_exact(tab, clips[0], frame)
    tab.keyboard.press("Space")
    assert tab.evaluate("cinecortex.playing()")
    tab.keyboard.press("Space")
    assert not tab.evaluate("cinecortex.playing()")
    tab.locator("#play").focus()  # a button keeps its own key: one press, one toggle
    tab.keyboard.press("Space")
    assert tab.evaluate("cinecortex.playing()")
    tab.keyboard.press("ArrowRight")
    assert not tab.evaluate("cinecortex.playing()")
    tab.locator("#scrub").focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    assert_exact(tab, clips[0], 1)


def test_home_and_end_belong_to_the_page_outside_the_player(tab: Tab) -> None:
    before = frame_of(tab)
    tab.keyboard.press("End")
    assert frame_of(tab) == before
    tab.keyboard.press("ArrowRight")
    assert frame_of(tab) == before + 1


def test_clip_chooser_keeps_the_given_order_and_shows_the_chosen_clip(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    assert tab.locator("#clip option").all_inner_texts() == ["Clip A · trial 3 · best", "Clip B · trial 8 · worst"]
    expect(tab.get_by_text("best of 2 by movie correlation of map")).to_be_visible()
    tab.get_by_role("button", name="Play").click()
    tab.get_by_label("Clip", exact=True).select_option("1")
    wait_until(tab, "cinecortex.clip() === 1")
    assert not tab.evaluate("cinecortex.playing()")
    assert_exact(tab, clips[1], clips[1].burn_in_frames)
    tab.evaluate("cinecortex.showFrame(1000)")
    assert_exact(tab, clips[1], 24)
    expect(tab.get_by_text("worst of 2 by movie correlation of map")).to_be_visible()
    expect(tab.get_by_role("button", name="Next clip")).to_be_disabled()
    tab.get_by_role("button", name="Clip before").click()
    wait_until(tab, "cinecortex.clip() === 0")
    tab.locator("#player").focus()
    tab.keyboard.press("PageDown")
    wait_until(tab, "cinecortex.clip() === 1")
    assert_exact(tab, clips[1], clips[1].burn_in_frames)


def test_clips_are_grouped_in_their_order_and_rank_in_their_group(
    open_tab: Callable[..., Tab], page_of_everything: Callable[..., Page], tmp_path: Path
) -> None:
    page = page_of_everything()
    views = tuple(
        dataclasses.replace(page.clips[1], clip_label=f"Clip {i}", group=group, scores={"map": score})
        for i, (group, score) in enumerate([("a", 0.1), ("b", 0.9), ("a", 0.5), ("b", 0.2), ("a", 0.3)])
    )
    tab = open_tab(write_page(tmp_path / "groups.html", dataclasses.replace(page, clips=views)))
    told = [
        (group.get_attribute("label"), group.locator("option").all_inner_texts())
        for group in tab.locator("#clip optgroup").all()
    ]
    assert told == [
        ("a", ["Clip 0 · trial 8 · worst", "Clip 2 · trial 8 · best", "Clip 4 · trial 8 · median"]),
        ("b", ["Clip 1 · trial 8 · best", "Clip 3 · trial 8 · worst"]),
    ]
    expect(tab.get_by_text("worst of 3 (a) by movie correlation of map")).to_be_visible()
    tab.get_by_label("Clip", exact=True).select_option("3")
    expect(tab.get_by_text("worst of 2 (b) by movie correlation of map")).to_be_visible()


def test_contrast_is_matched_only_when_asked_and_every_panel_concerned_says_so(
    tab: Tab, clips: tuple[ClipView, ...], page_of_everything: Callable[..., Page]
) -> None:
    clip, scored = clips[0], page_of_everything().scored_pixels
    switch, label = tab.get_by_label("Match contrast to the true movie"), "contrast matched to the true movie"
    assert not switch.is_checked()
    assert not any(label in caption for caption in tab.locator("#panels figcaption").all_inner_texts())
    tab.evaluate("cinecortex.showFrame(30)")
    switch.check()
    told = [label in caption for caption in tab.locator("#panels figcaption").all_inner_texts()]
    assert told == [False, True, True, False, True]  # neither the true movie nor the standard deviation
    counted = np.zeros(eight_bit(clip.panels[0].movie).shape, dtype=bool)
    counted[clip.burn_in_frames :] = scored.numpy()
    truth, pixels = eight_bit(clip.panels[0].movie), shown(tab)
    for i in (1, 2, 4):
        frames = eight_bit(clip.panels[i].movie)
        wanted = matched(frames, contrast_line(frames, truth, counted))[30]
        share = clip.panels[i].share
        np.testing.assert_array_equal(
            pixels[i], wanted if share is None else fade(wanted[None], eight_bit(share)[30:31])[0]
        )
    np.testing.assert_array_equal(pixels[3], stored(clip.panels[3])[30])
    tab.get_by_label("Clip", exact=True).select_option("1")
    wait_until(tab, "cinecortex.clip() === 1")
    assert sum(label in caption for caption in tab.locator("#panels figcaption").all_inner_texts()) == 3
    switch.uncheck()
    assert_exact(tab, clips[1])


def test_what_gray_means_is_said_under_the_panels_where_it_is_not_luminance(tab: Tab) -> None:
    captions = tab.locator("#panels figcaption").all_inner_texts()
    assert ["white is 0.25" in caption for caption in captions] == [False, False, False, True, False]
    assert ["mid gray where the data share is 0" in caption for caption in captions] == [
        False,
        False,
        True,
        False,
        False,
    ]


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


def test_of_two_choices_in_a_row_the_later_is_shown_whichever_is_unpacked_first(
    tab: Tab, clips: tuple[ClipView, ...]
) -> None:
    tab.evaluate("""async () => {
        const read = Response.prototype.arrayBuffer;
        let asked = 0;
        Response.prototype.arrayBuffer = async function () {
            const late = asked++ < 5;
            const bytes = await read.call(this);
            if (late) await new Promise((resolve) => setTimeout(resolve, 300));
            return bytes;
        };
        const first = cinecortex.chooseClip(0);
        await cinecortex.chooseClip(1);
        await first;
    }""")
    assert tab.evaluate("cinecortex.clip()") == 1
    assert_exact(tab, clips[1])


def test_every_panel_of_a_simulated_recording_says_so(
    tab: Tab, open_tab: Callable[..., Tab], page_of_everything: Callable[..., Page], tmp_path: Path
) -> None:
    assert tab.locator("#panels figcaption").count() == 5
    for caption in tab.locator("#panels figcaption").all_inner_texts():
        assert "simulated" in caption
    expect(tab.get_by_text("All 2 clips shown here were unseen in training.")).to_be_visible()
    expect(tab.get_by_text("The animal is simulated")).to_be_visible()
    real = page_of_everything(simulated=False, recording={"species": "mouse"})
    tab = open_tab(write_page(tmp_path / "real.html", real))
    assert not any("simulated" in text for text in tab.locator("#panels figcaption").all_inner_texts())
    expect(tab.get_by_text("Recorded animal, species: mouse")).to_be_visible()


def test_traces_read_out_the_frame_shown_each_quantity_on_its_own_axis(tab: Tab) -> None:
    tab.evaluate("cinecortex.showFrame(59)")
    assert tab.locator(".reading").all_inner_texts() == ["0.900", "0.450", "0.00200", "–"]
    tab.evaluate("cinecortex.showFrame(0)")
    assert tab.locator(".reading").all_inner_texts() == ["–", "–", "0.00100", "–"]
    tab.evaluate("cinecortex.showFrame(5)")
    assert tab.locator(".reading").first.inner_text() == "−0.107"
    assert tab.locator(".quantity").all_inner_texts() == [
        "frame correlation",
        "motion energy",
        "pupil dilation",
        "population activity",
    ]
    assert tab.locator(".ends").all_inner_texts() == ["0.900\n−0.107", "0.00200\n0", "no value", ""]


def test_movies_traces_raster_and_clock_share_one_time_axis(tab: Tab, clips: tuple[ClipView, ...]) -> None:
    plots = [plot.bounding_box() for plot in tab.locator(".plot").all()]
    assert len({(box["x"], box["width"]) for box in plots}) == 1
    left, width = plots[0]["x"], plots[0]["width"]
    for i, plot in enumerate(plots):
        frame = 11 * i + 3
        tab.locator(".plot").nth(i).scroll_into_view_if_needed()
        box = tab.locator(".plot").nth(i).bounding_box()
        tab.mouse.click(left + width * (frame + 0.5) / 60, box["y"] + box["height"] / 2)
        assert_exact(tab, clips[0], frame)
        assert plot["width"] == width
    # The slider's thumb stands above the middle of its frame.
    slider = tab.locator("#scrub").bounding_box()
    for frame in (0, 59):
        thumb = slider["x"] + 8 + (slider["width"] - 16) * frame / 59
        assert thumb == pytest.approx(left + width * (frame + 0.5) / 60, abs=0.5)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_accessible(open_tab: Callable[..., Tab], report_file: Path, scheme: str, width: int) -> None:
    tab = open_tab(report_file, color_scheme=scheme, viewport={"width": width, "height": 800})
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
        assert box["width"] > 0.7 * width
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
