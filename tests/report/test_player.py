"""The player in a real browser: every panel on one clock, exact to the bit."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from tests.report.watching import assert_exact, frame_of, shown, stored, wait_until

from cinecortex.report import ClipView, Page, write_page
from cinecortex.report.encoding import contrast_line, eight_bit, fade, matched

pytestmark = pytest.mark.browser

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
