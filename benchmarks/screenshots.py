"""Pictures of the demo's report: its first screen in light, dark and on a phone, and its findings.

    python benchmarks/screenshots.py --report out/demo/report.html --images docs/images

They are taken in a headless Chromium at a frame in the middle of the first clip, whichever that is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
FRAME = 150
DRAWN = """() => {
    const canvas = document.querySelector('#panels canvas');
    if (!canvas || !canvas.width) return false;
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.some((value, place) => place % 4 !== 3 && value !== 0);
}"""
SCREENS = {
    "light": ("light", 1280, 1000),
    "dark": ("dark", 1280, 1000),
    "phone": ("light", 390, 844),
}


def opened(browser: Browser, report: Path, colors: str, width: int, height: int) -> Page:
    """The report in a tab of its own, ready to use."""
    context = browser.new_context(color_scheme=colors, viewport={"width": width, "height": height})  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(report.resolve().as_uri())
    tab.wait_for_function(DRAWN)
    return tab


def pictures(browser: Browser, report: Path, folder: Path) -> list[Path]:
    """The first screen in light, dark and on a phone, and the findings."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (colors, width, height) in SCREENS.items():
        tab = opened(browser, report, colors, width, height)
        tab.locator("#scrub").evaluate(
            "(scrub, frame) => { scrub.value = frame; scrub.dispatchEvent(new Event('input', {bubbles: true})); }",
            FRAME,
        )
        tab.wait_for_timeout(300)
        made.append(folder / f"report-{name}.png")
        tab.screenshot(path=made[-1])
        if name == "light":
            tab.locator("#findings-title").scroll_into_view_if_needed()
            tab.locator(".card").nth(2).scroll_into_view_if_needed()
            made.append(folder / "report-findings.png")
            tab.screenshot(path=made[-1])
        tab.context.close()
    return made


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=Path("out/demo/report.html"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        sys.exit(f"no Chromium found (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for path in pictures(browser, options.report, options.images):
            print(f"wrote {path}")
        browser.close()


if __name__ == "__main__":
    main()
