"""Page -> one HTML file that needs nothing else: no network, no server, no other file."""

import base64
import hashlib
import math
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from jinja2.filters import do_mark_safe

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.report.encoding import Blob, eight_bit, outline, pack
from cinecortex.report.page import ClipView, Page

UNKNOWN_UNLESS_STATED = ("species", "subject")
VERDICT_SHAPES = {"supported": "●", "refuted": "✕", "undecided": "○"}


def write_page(path: Path, page: Page) -> Path:
    """Write the page to ``path``, whole or not at all.

    Args:
        path: The HTML file to write; its folder must exist.
        page: What to show.

    Returns:
        ``path``.

    Raises:
        WrongUse: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WrongUse(f"{path.parent} is not a folder; create it before writing the report there.")
    text = render_page(page)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def render_page(page: Page) -> str:
    """The HTML text of the page. Same page, same text."""
    clips, blobs = _player_data(page)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cinecortex.report", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, interval=interval, amount=amount)
    source = {name: environment.loader.get_source(environment, name)[0] for name in ("page.css", "player.js")}  # type: ignore[union-attr]
    script_hash = base64.b64encode(hashlib.sha256(source["player.js"].encode()).digest()).decode()
    # The style and the script are ours, hence safe; everything else that enters the template is escaped.
    return environment.get_template("page.html.j2").render(
        page=page,
        style=do_mark_safe(source["page.css"]),
        script=do_mark_safe(source["player.js"]),
        script_hash=script_hash,
        player={"simulated": page.simulated, "outline": _outline(page), "clips": clips},
        blobs=blobs,
        recording=dict.fromkeys(UNKNOWN_UNLESS_STATED, "unknown") | dict(page.recording),
        shapes=VERDICT_SHAPES,
        version=version("cinecortex"),
    )


def number(value: float | None, digits: int = 3) -> str:
    """A score for reading: fixed digits, a true minus sign, a dash for what is not known."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def interval(ends: Interval | tuple[float, float], digits: int = 2) -> str:
    """``0.69 to 0.79``, or nothing when there is no interval."""
    low, high = (ends.low, ends.high) if isinstance(ends, Interval) else ends
    return "" if math.isnan(low) or math.isnan(high) else f"{number(low, digits)} to {number(high, digits)}"


def amount(value: int | float | None) -> str:
    """A cost for reading: ``18,000``, ``4.2``, or a dash."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _player_data(page: Page) -> tuple[list[dict[str, Any]], list[Blob]]:
    """What the script reads, and the packed movies, each stored once."""
    blobs: dict[str, Blob] = {}
    clips = []
    for clip in page.clips:
        packed = [pack(eight_bit(panel.movie)) for panel in clip.panels]
        blobs.update({blob.id: blob for blob in packed})
        clips.append(_clip_data(clip, packed))
    return clips, list(blobs.values())


def _clip_data(clip: ClipView, packed: list[Blob]) -> dict[str, Any]:
    height, width = clip.frame_size
    return {
        "label": clip.clip_label,
        "trial": clip.trial_id,
        "unseen": clip.unseen,
        "frames": clip.frames,
        "height": height,
        "width": width,
        "rate": clip.frame_rate_hz,
        "burnIn": clip.burn_in_frames,
        "scoreName": clip.score_name,
        "scores": [[name, number(value)] for name, value in clip.scores.items()],
        "panels": [
            {"title": panel.title, "note": panel.note, "movie": blob.id, "coding": blob.coding}
            for panel, blob in zip(clip.panels, packed, strict=True)
        ],
        "traces": [
            {
                "title": trace.title,
                "quantity": trace.quantity,
                "values": [round(v, 4) if math.isfinite(v) else None for v in trace.values.tolist()],
            }
            for trace in clip.traces
        ],
    }


def _outline(page: Page) -> str:
    if page.scored_pixels is None:
        return ""
    size = tuple(page.scored_pixels.shape)
    for clip in page.clips:
        if clip.frame_size != size:
            raise WrongUse(f"scored_pixels is {size} but frames of clip {clip.clip_label!r} are {clip.frame_size}.")
    return outline(page.scored_pixels)
