"""What the player is told about every clip, and where its movies lie: in the page, or in a file beside it.

In the page every clip has an entry, which the clip chooser shows. Everything else about a clip, its packed movies
included, is read when the clip is chosen: from the page, where it fits, or else from a script of its own. A script and
not a file of data, because that is what a browser lets a page read that was opened from disk.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cinecortex.report.encoding import Blob, Frames, contrast_line, eight_bit, pack
from cinecortex.report.page import ClipView, Page, Panel, Trace
from cinecortex.report.words import number

MARKUP = 120
"""Characters around a clip or a movie in the page, at most."""


@dataclass(frozen=True)
class Placed:
    """Where the clips of a page lie.

    Attributes:
        entries: One per clip, for the clip chooser; ``file`` names the script of a clip that is not in the page.
        inside: The clips in the page, by number.
        blobs: Their packed movies, each once.
        files: Text of the scripts beside the page, by file name.
    """

    entries: list[dict[str, Any]]
    inside: dict[int, dict[str, Any]]
    blobs: dict[str, Blob] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def place_clips(page: Page, room: int | float) -> Placed:
    """Put clips into the page, in their order, as long as they fit; the first is there in any case.

    Args:
        page: Whose clips.
        room: Characters that they may take.
    """
    room -= MARKUP * len(page.clips)
    placed = Placed(entries=clip_entries(page), inside={})
    for i, clip in enumerate(page.clips):
        told, blobs = _told(clip, page)
        new = {id: blob for id, blob in blobs.items() if id not in placed.blobs}
        needed = len(json.dumps(told)) + sum(len(b.text) + len(json.dumps(b.packing)) + MARKUP for b in new.values())
        if i == 0 or needed <= room:
            room -= needed
            placed.inside[i] = told
            placed.blobs.update(new)
        else:
            name, script = _script(told, new)
            placed.entries[i]["file"] = name
            placed.files[name] = script
    return placed


def _script(told: Mapping[str, Any], blobs: Mapping[str, Blob]) -> tuple[str, str]:
    """Name and text of the script of a clip; named by its content, so that it cannot be taken for another."""
    content = {**told, "movies": {id: {**blob.packing, "text": blob.text} for id, blob in blobs.items()}}
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    name = f"clip-{hashlib.sha256(text.encode()).hexdigest()[:16]}.js"
    return name, f'cinecortex.deliver("{name}", {text});\n'


def clip_entries(page: Page) -> list[dict[str, Any]]:
    """What the clip chooser shows, and what is told beside it; no clip has a file yet."""
    return [
        {
            "label": clip.clip_label,
            "trial": clip.trial_id,
            "group": clip.group,
            "unseen": clip.unseen,
            "standing": standing and asdict(standing),
            "scoreName": clip.score_name,
            "scores": [[name, number(value)] for name, value in clip.scores.items()],
            "file": None,
        }
        for clip, standing in zip(page.clips, page.standings, strict=True)
    ]


def _told(clip: ClipView, page: Page) -> tuple[dict[str, Any], dict[str, Blob]]:
    """Everything about a clip but its entry, and its packed movies."""
    blobs: dict[str, Blob] = {}

    def stored(frames: Frames) -> str:
        blob = pack(frames)
        blobs[blob.id] = blob
        return blob.id

    height, width = clip.frame_size
    told = {
        "frames": clip.frames,
        "height": height,
        "width": width,
        "rate": clip.frame_rate_hz,
        "burnIn": clip.burn_in_frames,
        "panels": [
            {
                "title": panel.title,
                "note": panel.note,
                "scale": _scale(panel),
                "movie": stored(eight_bit(panel.movie, top=panel.top)),
                "share": None if panel.share is None else stored(eight_bit(panel.share)),
                "line": line,
            }
            for panel, line in zip(clip.panels, _contrast_lines(clip, page), strict=True)
        ],
        "traces": [_trace(trace) for trace in clip.traces],
        "raster": None,
    }
    if clip.raster is not None:
        # A row of the raster is a pixel of a frame that is one pixel wide.
        movie = stored(clip.raster.values.cpu().numpy()[:, :, None])
        rows = clip.raster.values.shape[1]
        told["raster"] = {"title": clip.raster.title, "note": clip.raster.note, "rows": rows, "movie": movie}
    return told, blobs


def _trace(trace: Trace) -> dict[str, Any]:
    values = [float(f"{value:.4g}") if math.isfinite(value) else None for value in trace.values.tolist()]
    return {"title": trace.title, "quantity": trace.quantity, "values": values}


def _scale(panel: Panel) -> str:
    """What the gray levels mean, where that is not plain."""
    said = [] if panel.top == 1 else [f"white is {panel.top:.3g}"]
    if panel.share is not None:
        said.append("mid gray where the data share is 0")
    return "; ".join(said)


def _contrast_lines(clip: ClipView, page: Page) -> list[tuple[float, float] | None]:
    """How each panel would be drawn with the contrast of the true movie; None where that has no meaning.

    Counted as scores are: inside the scored area, after the burn-in.
    """
    truth = next((eight_bit(panel.movie) for panel in clip.panels if panel.true_movie), None)
    if truth is None:
        return [None] * len(clip.panels)
    counted = np.ones(truth.shape, dtype=bool)
    counted[: clip.burn_in_frames] = False
    if page.scored_pixels is not None:
        counted &= page.scored_pixels.cpu().numpy()
    return [
        None if panel.true_movie or panel.top != 1 else contrast_line(eight_bit(panel.movie), truth, counted)
        for panel in clip.panels
    ]
