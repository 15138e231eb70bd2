"""How heavy a report is, and how long a reader waits: from opening it to the first frame, and from clip to clip.

    python benchmarks/report.py out/demo/report.html --out docs/results/report.md

The page is opened from disk in a Chromium without a screen, anew each time. It is ready when every panel of the first
clip has drawn its frame and the controls answer; it plays from there without waiting. A clip is there when every panel
has drawn its frame; clips that lie beside the page are read from disk each time.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from page import command_of, publish, table

ABOUT = "Seconds, in a headless Chromium without an accelerator."
CHOOSE = """(index) => { const start = performance.now();
    return cinecortex.chooseClip(index).then(() => (performance.now() - start) / 1000); }"""


def opening_seconds(browser: Browser, page: Path) -> float:
    """From asking for the page until its first frame is drawn."""
    tab = browser.new_page()
    start = time.perf_counter()
    tab.goto(page.as_uri())
    tab.evaluate("cinecortex.ready")
    seconds = time.perf_counter() - start
    tab.close()
    return seconds


def choosing_seconds(browser: Browser, page: Path) -> list[float]:
    """From choosing a clip until its frame is drawn, for every clip."""
    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.evaluate("cinecortex.ready")
    number = tab.locator("#clip option").count()
    seconds = [float(tab.evaluate(CHOOSE, index)) for index in range(number)]
    tab.close()
    return seconds


def weight(page: Path) -> list[str]:
    """Megabytes of the page and of the clips beside it."""
    beside = sorted(page.with_name(f"{page.stem}-clips").glob("clip-*.js"))
    inside = len(re.findall(r'id="clip-\d', page.read_text(encoding="utf-8")))
    total = sum(file.stat().st_size for file in beside) / 1e6
    heaviest = max((file.stat().st_size for file in beside), default=0) / 1e6
    return [f"{page.stat().st_size / 1e6:.2f}", str(inside), f"{total:.2f}", str(len(beside)), f"{heaviest:.2f}"]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/report.md"))
    parser.add_argument("--openings", type=int, default=7)
    options = parser.parse_args()
    page, chromium = options.page.resolve(), shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        opening = [opening_seconds(browser, page) for _ in range(options.openings)]
        choosing = choosing_seconds(browser, page)
        told = f"Chromium {browser.version}"
        browser.close()
    header = ["page, MB", "clips in it", "beside it, MB", "clips there", "heaviest clip there, MB"]
    waits = [
        [f"from opening to the first frame ({told})", *spread(opening)],
        ["from choosing a clip to its frame", *spread(choosing)],
    ]
    lines = [*table(header, [weight(page)]), "", *table(["waiting, s", "median", "worst", "of"], waits)]
    publish(
        options.out,
        "The report: size and waiting",
        lines,
        command=command_of("report.py", parser, options),
        about=ABOUT,
    )


def spread(seconds: list[float]) -> list[str]:
    """Median, worst and number."""
    return [f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", str(len(seconds))]


if __name__ == "__main__":
    main()
