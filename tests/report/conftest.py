"""Pages to look at, and a browser to look with."""

import dataclasses
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from cinecortex.finding import Finding, Null, Verdict
from cinecortex.metrics import Interval
from cinecortex.report import (
    Card,
    ClipView,
    Figure,
    Headline,
    Page,
    Panel,
    Raster,
    ScoreRow,
    Trace,
    figures,
    write_page,
)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def movie(seed: int, frames: int, height: int, width: int) -> torch.Tensor:
    """Noise that reaches beyond black and white; the corner pixel tells the frame's number."""
    values = torch.randn(frames, height, width, generator=torch.Generator().manual_seed(seed)) * 0.4 + 0.5
    values[:, 0, 0] = torch.arange(frames) / 255
    return values


def smooth(seed: int, frames: int, height: int, width: int) -> torch.Tensor:
    """A movie that is shortest as differences."""
    t = torch.arange(frames)[:, None, None] / 9 + seed
    values = 0.5 + 0.4 * torch.sin(t + torch.arange(height)[:, None] / 7) * torch.cos(torch.arange(width) / 9 - t)
    values[:, 0, 0] = torch.arange(frames) / 255
    return values


def clip(label: str, seed: int, frames: int, size: tuple[int, int], **changes: object) -> ClipView:
    reconstruction = movie(seed + 1, frames, *size)
    panels = (
        Panel("True movie", smooth(seed, frames, *size), "what was on the screen", true_movie=True),
        Panel("Reconstruction (map)", reconstruction),
        Panel("Reconstruction, by data share", reconstruction, share=movie(seed + 2, frames, *size).clamp(0, 1)),
        Panel("Standard deviation", smooth(seed + 3, frames, *size) / 4, top=0.25),
        Panel("Training mean", movie(0, 1, *size).expand(frames, -1, -1).contiguous()),
    )
    values = torch.linspace(-0.2, 0.9, frames)
    values[:5] = torch.nan
    activity = torch.randint(0, 256, (frames, 17), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    first = ClipView(
        clip_label=label,
        trial_id=str(seed),
        unseen=True,
        panels=panels,
        burn_in_frames=5,
        frame_rate_hz=30.0,
        scores={"map": 0.612 - seed / 100, "training mean": float("nan")},
        traces=(
            Trace("map", "frame correlation", values),
            Trace("ridge", "frame correlation", values / 2),
            Trace("true movie", "motion energy", torch.linspace(0.001, 0.002, frames)),
            Trace("recorded", "pupil dilation", torch.full((frames,), torch.nan)),
        ),
        raster=Raster("population activity", activity, "17 rows of neurons"),
    )
    return dataclasses.replace(first, **changes)


@functools.cache
def every_figure() -> tuple[Figure, ...]:
    mask = scored_mask()
    scores = {"map": [0.7, 0.6], "ridge": [0.5, 0.55]}
    ceiling = torch.linspace(0, 1, 50)
    drawings = {
        "Clips": figures.scores_by_clip(scores, metric="movie correlation"),
        "Masks": figures.scores_by_mask([0.0, 0.5], scores, metric="movie correlation"),
        "Ceiling": figures.encoder_against_ceiling(ceiling * 0.8, ceiling),
        "Mask": figures.mask_picture(mask, mask > 0.5),
    }
    return tuple(Figure(title, "How to read it.", svg) for title, svg in drawings.items())


def scored_mask() -> torch.Tensor:
    return torch.rand(12, 20, generator=torch.Generator().manual_seed(1))


def finding(verdict: Verdict) -> Finding:
    null = Null(0.0, (0.0, 0.1)) if verdict != "undecided" else None
    return Finding("a.b", "It works", verdict, "r", 0.5, (0.4, 0.6), 0.95, 10, "clip", "above 0.3", null)


def whole_page(**changes: object) -> Page:
    """A page with something in every section."""
    first = Page(
        title="In-silico mouse, two clips",
        verdict="The reconstruction tells shapes and motion.",
        simulated=True,
        clips=(clip("Clip A", 3, 60, (12, 20)), clip("Clip B", 8, 25, (12, 20))),
        clip_order="random, seed 7",
        headline=Headline("movie correlation of map", Interval(0.65, 0.6, 0.7, 0.95, 2)),
        recording={"neurons": "50"},
        encoder={"kind": "compact"},
        scores=(
            ScoreRow("map", {"movie correlation": Interval(0.65, 0.6, 0.7, 0.95, 2)}, 18_000, 4.25, "whitened"),
            ScoreRow("paper", {"SSIM": Interval(-0.1, float("nan"), float("nan"), 0.95, 1)}),
        ),
        figures=every_figure(),
        findings=(
            Card(finding("supported"), "The movie is in the neurons.", every_figure()[0]),
            Card(finding("refuted"), "The movie is not in the neurons."),
            finding("undecided"),
        ),
        provenance={"seed": "7"},
        notes=("A note.",),
        scored_pixels=scored_mask() > 0.5,
        downloads={
            "findings.json": '{"schema": "cinecortex.findings/1"}',
            "findings.csv": "id,verdict\na.b,supported\n",
        },
        consent="approved by the board of the institute, 12/3",
        verdict_word="supported",
    )
    return dataclasses.replace(first, **changes)


def with_text(value: object, text: str) -> object:
    """The same noun with ``text`` for every text in it, keys included."""
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(with_text(v, text) for v in value)
    if isinstance(value, Mapping):
        return {f"{text}{i}": with_text(v, text) for i, v in enumerate(value.values())}
    if not dataclasses.is_dataclass(value):
        return value
    # A verdict is one of three words, and figures come from `figures`, which escapes for itself.
    kept = {"Finding": ("verdict",), "Page": ("verdict_word",), "Figure": ("svg",)}.get(type(value).__name__, ())
    names = [f.name for f in dataclasses.fields(value) if f.name not in kept]
    return dataclasses.replace(value, **{name: with_text(getattr(value, name), text) for name in names})


@pytest.fixture
def hostile_page() -> Callable[[str], Page]:
    return lambda text: with_text(whole_page(), text)


@pytest.fixture(scope="module")
def page_of_everything() -> Callable[..., Page]:
    return whole_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        reason = f"no Chromium found (looked for {', '.join(NAMES)}; on Debian: apt-get install chromium)"
        if os.environ.get("CINECORTEX_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}, and CINECORTEX_REQUIRE_BROWSER=1 asks for it")
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("a report") / "report page.html", whole_page())


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens a page; whatever happens in the tab, it must stay silent and ask for nothing but its own files."""
    contexts, complaints, foreign = [], [], []

    def opener(file: Path, *, address: str = "", **settings: object) -> Tab:
        address = address or file.as_uri()
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | settings)
        contexts.append(context)
        tab = context.new_page()
        own = (address, address.removesuffix(".html") + "-clips/")
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: (complaints.append("a dialog opened"), dialog.dismiss()))
        tab.on("request", lambda request: request.url.startswith(own) or foreign.append(request.url))
        tab.goto(address)
        if settings.get("java_script_enabled", True):
            tab.evaluate("window.cinecortex && cinecortex.ready")
        return tab

    yield opener
    for context in contexts:
        context.close()
    assert complaints == []
    assert foreign == []


@pytest.fixture
def clips(page_of_everything: Callable[..., Page]) -> tuple[ClipView, ...]:
    return page_of_everything().clips


@pytest.fixture
def tab(open_tab: Callable[..., Tab], report_file: Path) -> Tab:
    return open_tab(report_file)
