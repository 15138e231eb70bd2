"""NWB: what was reconstructed, and how sure it is, as processed data of a session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cinecortex.errors import WrongUse
from cinecortex.exports.clip import Clip
from cinecortex.exports.provenance import provenance

UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)
"""NWB wants to know when the session began; results do not say."""
OF_A_TRIAL = ("trial_id", "clip_id", "variable", "frames", "ended")
"""Facts that are told with each series and not with the file."""
MEANINGS = {
    "movie": "Reconstructed luminance",
    "std": "Posterior standard deviation of the luminance of each pixel",
    "data_std": "The part of the standard deviation that the responses leave open",
    "model_std": "The part of the standard deviation that the fit of the encoder leaves open",
    "lower": "Lower bound of the 90 % interval of the luminance of each pixel",
    "upper": "Upper bound of the 90 % interval of the luminance of each pixel",
    "data_share": "How much of each pixel comes from the neurons: 1 - posterior variance / prior variance",
}


def write_nwb(path: Path, clips: Sequence[Clip]) -> None:
    """Write one NWB file: an image series for each trial and variable, as float32, in a module ``reconstruction``.

    The axes of an image series in NWB are time, x, y: every frame is stored with its columns first. Each series starts
    at 0 s, because a result does not say when a trial began.

    Args:
        path: The file to write.
        clips: All of one session.

    Raises:
        WrongUse: pynwb is not installed, or there are several sessions.
    """
    try:
        from pynwb import NWBHDF5IO, NWBFile
        from pynwb.file import Subject
        from pynwb.image import ImageSeries
    except ImportError as error:
        raise WrongUse("NWB needs pynwb, which is not installed; pip install 'cinecortex[nwb]'.") from error
    if len({clip.session_id for clip in clips}) != 1:
        raise WrongUse("an NWB file holds one session; name a folder with --out for one file for each trial.")
    facts = clips[0].facts
    shared = {name: value for name, value in facts.items() if name not in OF_A_TRIAL}
    told = provenance("nwb", shared, trials=list(dict.fromkeys(clip.trial_id for clip in clips)))
    simulated = " The recording is SIMULATED; no animal was recorded." if facts["simulated"] == "true" else ""
    file = NWBFile(
        session_description=f"Movies reconstructed by cinecortex from session {clips[0].session_id}.{simulated} The "
        "start time of the session is not known; 1970-01-01 stands in for it.",
        identifier=f"{clips[0].session_id}, {facts['result']}, {facts['clip_id']}",
        session_start_time=UNKNOWN_START,
        session_id=clips[0].session_id,
        keywords=["reconstruction", "visual cortex", *(["simulated"] if simulated else [])],
        protocol=f"consent and ethics approval: {facts['consent']}" if facts["consent"] else None,
        notes=told,
        subject=Subject(subject_id=facts["subject"], species=facts["species"]),
    )
    module = file.create_processing_module(
        "reconstruction",
        "Movies reconstructed from neural responses, with their uncertainty. Nothing here was recorded.",
    )
    for clip in clips:
        module.add(
            ImageSeries(
                name=f"{clip.variable}_trial_{clip.trial_id}".replace("/", "_").replace(":", "_"),
                description=f"{MEANINGS.get(clip.variable, clip.variable)}, trial {clip.trial_id}, by "
                f"{facts['method']}. Ended: {clip.facts['ended']}. Axes: time, x (columns), y (rows).",
                comments=json.dumps({name: clip.facts[name] for name in OF_A_TRIAL}),
                data=clip.values.transpose(0, 2, 1),
                unit="fraction" if clip.variable == "data_share" else "luminance, 0 black to 1 white",
                format="raw",
                starting_time=0.0,
                rate=clip.frame_rate_hz,
            )
        )
    with NWBHDF5IO(str(path), "w") as store:
        store.write(file)
