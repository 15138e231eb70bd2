"""What a browser shows, read back."""

import numpy as np
from playwright.sync_api import Page as Tab

from cinecortex.report import ClipView, Panel
from cinecortex.report.encoding import eight_bit, fade

READ = """() => cinecortex.panels().map(({canvas}) => Array.from(
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data))"""


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
