"""Page -> one HTML file that needs nothing else; only clips that would make it too heavy lie in a folder beside it."""

import base64
import hashlib
import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2.filters import do_mark_safe

from cinecortex.errors import WrongUse
from cinecortex.report.clips import Placed, clip_entries, place_clips
from cinecortex.report.encoding import data_link, outline
from cinecortex.report.page import Page
from cinecortex.report.words import amount, finding_text, interval, number, size

UNKNOWN_UNLESS_STATED = ("species", "subject")
VERDICT_SHAPES = {"supported": "●", "refuted": "✕", "undecided": "○"}
SCRIPTS = ("document.js", "movies.js", "lanes.js", "player.js")
KINDS = {".json": "application/json", ".csv": "text/csv"}
LIMIT_BYTES = 4_500_000
"""A page that is sent by mail and opens at once."""


def write_page(path: Path, page: Page, *, limit_bytes: int = LIMIT_BYTES) -> Path:
    """Write the page to ``path``, whole or not at all.

    Clips that do not fit into the page lie in the folder ``<stem>-clips`` beside it, which is replaced with the page
    and removed where the page does not need one. Both together work from disk.

    Args:
        path: The HTML file to write; its folder must exist.
        page: What to show.
        limit_bytes: How heavy the page may become by its clips; the first is in it in any case.

    Returns:
        ``path``.

    Raises:
        WrongUse: the folder does not exist, or ``<stem>-clips`` holds something that no report wrote.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise WrongUse(f"{path.parent} is not a folder; create it before writing the report there.")
    folder = path.with_name(f"{path.stem}-clips")
    if folder.exists() and not _is_ours(folder):
        raise WrongUse(f"{folder} holds something that no report wrote; move it, or write the report elsewhere.")
    text, placed = _render(page, limit_bytes=limit_bytes, folder=folder.name)
    temporary, unfinished, old = (
        path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("tmp", "clips", "old")
    )
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        if placed.files:
            unfinished.mkdir()
            for name, script in placed.files.items():
                (unfinished / name).write_text(script, encoding="utf-8", newline="\n")
        _exchange(folder, unfinished, old, temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return path


def render_page(page: Page) -> str:
    """The HTML text of the page with all of its clips inside. Same page, same text."""
    return _render(page, limit_bytes=None, folder="")[0]


def _exchange(folder: Path, unfinished: Path, old: Path, temporary: Path, path: Path) -> None:
    """New folder and new page for the old ones; when it fails, the old ones are what remains."""
    if folder.exists():
        folder.rename(old)
    try:
        if unfinished.exists():
            unfinished.rename(folder)
        temporary.replace(path)
    except OSError:
        if unfinished.exists() is False and folder.exists():
            folder.rename(unfinished)
        if old.exists():
            old.rename(folder)
        raise


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and all(re.fullmatch(r"clip-[0-9a-f]{16}\.js", item.name) for item in folder.iterdir())


def _render(page: Page, *, limit_bytes: int | None, folder: str) -> tuple[str, Placed]:
    environment = _environment()
    style = _source(environment, ("page.css",))
    script = f'"use strict";\n(() => {{\n{_source(environment, SCRIPTS)}}})();\n'
    template = environment.get_template("page.html.j2")
    cards = [
        {"finding": card.finding, "meaning": card.meaning, "figure": card.figure, "text": finding_text(card.finding)}
        for card in page.cards
    ]

    def text_with(placed: Placed) -> str:
        # The style and the script are ours, hence safe; everything else that enters the template is escaped.
        return template.render(
            page=page,
            cards=cards,
            style=do_mark_safe(style),
            script=do_mark_safe(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            player=_player(page, placed, folder),
            placed=placed,
            recording=dict.fromkeys(UNKNOWN_UNLESS_STATED, "unknown") | dict(page.recording),
            shapes=VERDICT_SHAPES,
            version=version("cinecortex"),
        )

    if limit_bytes is None:
        placed = place_clips(page, float("inf"))
    else:
        bare = text_with(Placed(entries=clip_entries(page), inside={}))
        placed = place_clips(page, limit_bytes - len(bare.encode()))
    return text_with(placed), placed


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cinecortex.report", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, interval=interval, amount=amount, size=size, link=_link)
    return environment


def _source(environment: jinja2.Environment, names: tuple[str, ...]) -> str:
    return "".join(environment.loader.get_source(environment, name)[0] for name in names)  # type: ignore[union-attr]


def _link(text: str, name: str) -> str:
    return data_link(text, KINDS.get(Path(name).suffix, "text/plain"))


def _player(page: Page, placed: Placed, folder: str) -> dict[str, Any]:
    return {
        "simulated": page.simulated,
        "outline": "" if page.scored_pixels is None else outline(page.scored_pixels),
        "folder": f"{quote(folder)}/" if placed.files else "",
        "clips": placed.entries,
        "movies": {id: blob.packing for id, blob in placed.blobs.items()},
    }
