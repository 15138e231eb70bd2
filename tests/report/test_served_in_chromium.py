"""A report as `cinecortex view` serves it: the page reads its clips from beside it, and every pixel is right."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.report.watching import assert_exact, wait_until

from cinecortex.report import Page, write_page
from cinecortex.viewing import serve

pytestmark = pytest.mark.browser


@pytest.fixture
def address(page_of_everything: Callable[..., Page], tmp_path: Path) -> Iterator[str]:
    """Of a report whose second clip lies in the folder beside it."""
    write_page(tmp_path / "report.html", page_of_everything(), limit_bytes=1)
    told: queue.Queue[str] = queue.Queue()
    loop = asyncio.new_event_loop()
    running = loop.create_task(serve(tmp_path, ready=told.put))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([running])))
    thread.start()
    yield told.get(timeout=30)
    loop.call_soon_threadsafe(running.cancel)
    thread.join(30)
    loop.close()


def test_every_clip_can_be_watched(browser, address, clips):
    complaints, requests = [], []
    context = browser.new_context()
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(address)
    tab.evaluate("window.cinecortex && cinecortex.ready")
    assert_exact(tab, clips[0])
    tab.get_by_label("Clip", exact=True).select_option("1")
    wait_until(tab, "cinecortex.clip() === 1")
    assert_exact(tab, clips[1])
    context.close()
    assert complaints == []
    host = urlsplit(address).netloc
    assert {urlsplit(url).netloc for url in requests} == {host}
    assert len(requests) == 2, "the page, and the clip that lies beside it"
