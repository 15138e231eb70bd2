"""The demo's report in a browser: pictures for the documentation, its weight, and how soon it can be used.

    python benchmarks/report.py --report out/demo/report.html --out docs/results/report.md --images docs/images

A page counts as usable when its first movie is drawn and the player takes a key. Every measurement opens it anew, from
disk, in a browser of its own; the pictures are taken at a frame in the middle of the first clip.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from page import command_of, publish, remarks, table

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


def seconds_to_use(browser: Browser, report: Path) -> float:
    """From opening until the first movie is drawn and a key steps a frame."""
    begun = time.perf_counter()
    tab = opened(browser, report, "light", 1280, 1000)
    before = tab.locator("#counter").inner_text()
    tab.locator("#player").press("ArrowRight")
    tab.wait_for_function("was => document.querySelector('#counter').innerText !== was", arg=before)
    took = time.perf_counter() - begun
    tab.context.close()
    return took


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
    """Measure, take the pictures, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=Path("out/demo/report.html"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/report.md"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    parser.add_argument("--times", type=int, default=5, help="how often the page is opened")
    options = parser.parse_args()
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        sys.exit(f"no Chromium found (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        took = []
        for _ in range(options.times):
            browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            took.append(seconds_to_use(browser, options.report))
            browser.close()
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        version = browser.version
        made = pictures(browser, options.report, options.images)
        browser.close()
    beside = options.report.with_name(f"{options.report.stem}-clips")
    scripts = list(beside.glob("*")) if beside.is_dir() else []
    rows = [
        ["page", f"{options.report.stat().st_size / 1e6:.2f} MB"],
        ["clips in the folder beside it", f"{len(scripts)}, {sum(s.stat().st_size for s in scripts) / 1e6:.1f} MB"],
        ["until it can be used, median", f"{statistics.median(took):.2f} s"],
        ["until it can be used, slowest", f"{max(took):.2f} s of {len(took)}"],
    ]
    for path in made:
        print(f"wrote {path}")
    notes = [f"Opened from disk in Chromium {version}, each time in a new browser process, whose start is not counted."]
    publish(
        options.out,
        "The report in a browser",
        [*table(["what", "measured"], rows), *remarks(notes)],
        command=command_of("report.py", parser, options),
    )


if __name__ == "__main__":
    main()
