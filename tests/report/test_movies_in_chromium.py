"""Exported movies in a real Chromium: it plays them, all of them, and shows the levels that were stored."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.in_memory import InMemory

from cinecortex.data import write_result
from cinecortex.exports import Request, export
from cinecortex.reconstruction import Reconstruction
from cinecortex.recording import Trial

pytestmark = pytest.mark.browser

FRAMES, SIZE, SCALE = 24, (37, 63), 4
LOOK = """async ([kind, content, times, height, width, scale]) => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = `data:video/mp4;base64,${content}`;
  document.body.append(video);
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(new Error(video.error.message));
  });
  const found = {duration: video.duration, size: [video.videoHeight, video.videoWidth], levels: []};
  const context = Object.assign(document.createElement('canvas'), {width: video.videoWidth, height: video.videoHeight})
    .getContext('2d', {willReadFrequently: true});
  for (const time of times) {
    const there = new Promise(done => { video.onseeked = done; });
    // A seek has ended before its frame is painted; where the frame is on screen already, none is painted again.
    const painted = new Promise(done => { video.requestVideoFrameCallback(done); });
    video.currentTime = time;
    await there;
    await Promise.race([painted, new Promise(done => setTimeout(done, 3000))]);
    context.drawImage(video, 0, 0);
    const pixels = context.getImageData(0, 0, video.videoWidth, video.videoHeight).data;
    const levels = [];
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const at = 4 * ((row * scale + scale / 2) * video.videoWidth + column * scale + scale / 2);
        levels.push([pixels[at], pixels[at + 1], pixels[at + 2]]);
      }
    found.levels.push(levels);
  }
  video.currentTime = 0;
  const ended = new Promise(done => { video.onended = done; });
  await video.play();
  await ended;
  found.stopped = video.currentTime;
  return found;
}"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A result of one trial, smooth and with every level, and its levels."""
    time = torch.arange(FRAMES)[:, None, None] / 9
    shown = 0.5 + 0.5 * torch.sin(time + torch.arange(SIZE[0])[:, None] / 7) * torch.cos(
        torch.arange(SIZE[1]) / 9 - time
    )
    trial = Trial("5", "mouse", "test", 30.0, SIZE, (), InMemory(shown))
    path = tmp_path_factory.mktemp("result") / "map.zarr"
    write_result(path, [(trial, Reconstruction(shown, ended="converged"))], attrs={})
    return path, np.rint(shown.double().numpy() * 255).clip(0, 255).astype(int)


@pytest.mark.parametrize(
    ("kind", "lossless", "off"), [("mp4", False, 3), ("mp4", True, 1), ("av1", False, 12), ("av1", True, 1)]
)
def test_it_plays_at_its_size_for_its_time_and_shows_its_levels(browser, result, tmp_path, kind, lossless, off):
    path, levels = result
    request = Request(scale=SCALE, lossless=lossless)
    (movie,) = export(path, kind, tmp_path / "movie.mp4", request=request)
    frames = (0, 7, FRAMES - 1)
    context = browser.new_context()
    tab = context.new_page()
    content = base64.b64encode(movie.read_bytes()).decode()
    times = [(frame + 0.5) / 30 for frame in frames]
    found = tab.evaluate(LOOK, [kind, content, times, *SIZE, SCALE])
    context.close()
    assert found["size"] == [SIZE[0] * SCALE, SIZE[1] * SCALE]
    assert found["duration"] == pytest.approx(FRAMES / 30, abs=1e-4)
    assert found["stopped"] == pytest.approx(FRAMES / 30, abs=1e-3)
    shown = np.array(found["levels"]).reshape(len(frames), *SIZE, 3)
    assert np.abs(shown - levels[list(frames)][..., None]).max() <= off
    # Another frame would have been told from this one.
    assert np.abs(levels[7] - levels[8]).max() > 12


def test_a_gif_is_a_picture_of_its_size(browser, result, tmp_path):
    (movie,) = export(result[0], "gif", tmp_path / "movie.gif", request=Request(scale=SCALE))
    context = browser.new_context()
    content = base64.b64encode(movie.read_bytes()).decode()
    load = """async content => {
      const image = new Image();
      image.src = `data:image/gif;base64,${content}`;
      await image.decode();
      return [image.naturalHeight, image.naturalWidth];
    }"""
    tab = context.new_page()
    assert tab.evaluate(load, content) == [SIZE[0] * SCALE, SIZE[1] * SCALE]
    context.close()
