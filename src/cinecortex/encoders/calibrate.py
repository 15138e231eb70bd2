"""An encoder that was fitted elsewhere meets a recording: what an inversion must know besides the weights."""

from __future__ import annotations

from collections.abc import Sequence

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.evaluation import mean_response, measure_observation_model, rounded
from cinecortex.encoders.train import scores_of
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Recording, Trial
from cinecortex.stimuli.spectrum import measure_movies


def calibrate(model: Model, recording: Recording, held_out: Sequence[Trial]) -> Model:
    """Measure the observation model on trials held out, and the statistics of movies on the training trials.

    Where the weights came from is not known here. All trials of tier ``train`` are taken to have been fitted to, and
    the clips that are measured on to have been selected on: neither counts as unseen afterwards.

    Args:
        model: Holds an encoder of this recording's session; it is changed in place, weights aside.
        recording: The session.
        held_out: Trials with responses, of clips that the encoder was not fitted to.

    Returns:
        The model with its facts about this session.

    Raises:
        BadData: the encoder is of another number of neurons, frame size or frame rate, or the recording has no
            training trials.
        WrongUse: there is no trial to measure on, or its clip is among the training clips.
    """
    encoder = model.session(recording.session_id)
    _check_fits(encoder, recording)
    train = recording.tier("train") if "train" in recording.tiers else ()
    if not train:
        raise BadData(f"{recording.source} has no trial of tier train, of which the statistics of movies are measured.")
    held_out = [trial for trial in held_out if trial.response is not None]
    if not held_out:
        raise WrongUse("there is no trial with a response to measure the observation model on; choose another tier.")
    clips = {"train": sorted({t.clip_id for t in train}), "select": sorted({t.clip_id for t in held_out})}
    for clip in set(clips["train"]) & set(clips["select"]):
        trial = next(t for t in held_out if t.clip_id == clip)
        raise WrongUse(f"the movie of trial {trial.trial_id} is among the training trials; choose trials held out.")
    encoder.eval()
    encoder.movie_statistics = measure_movies(trial.movie for trial in train)
    encoder.observation_model = measure_observation_model(encoder, held_out, train)
    mean = mean_response(train)
    rest = [trial for trial in recording.trials if trial.tier != "train"]
    facts = {
        "session_id": recording.session_id,
        "recording_fingerprint": recording.fingerprint,
        "response_unit": recording.response_unit,
        "trials": {"train": [t.trial_id for t in train], "select": [t.trial_id for t in held_out]},
        "clips": clips,
        "dropped": {},
        "history": [],
        "ended": "fitted elsewhere; calibrated on this recording",
        "mean_response": rounded(mean),
        **scores_of(encoder, held_out, rest, mean),
    }
    others = [kept for kept in model.facts.get("fitted", ()) if kept["session_id"] != recording.session_id]
    return Model(model.sessions, {**model.facts, "fitted": [*others, facts]})


def _check_fits(encoder: Encoder, recording: Recording) -> None:
    """Refuse a recording that this encoder cannot have been fitted to, whatever it is called."""
    height, width = recording.frame_size
    seen_height, seen_width = encoder.frame_size
    session = f"the encoder of session {recording.session_id!r}"
    wrong = None
    if encoder.neurons != len(recording.neurons):
        wrong = f"has {len(recording.neurons)} neurons, but {session} has {encoder.neurons}"
    elif (height, width) != (seen_height, seen_width):
        wrong = f"has frames of {height}x{width} px, but {session} sees {seen_height}x{seen_width} px"
    elif abs(recording.frame_rate_hz - encoder.frame_rate_hz) > 1e-3:
        wrong = f"runs at {recording.frame_rate_hz:g} Hz, but {session} at {encoder.frame_rate_hz:g} Hz"
    if wrong is not None:
        raise BadData(f"{recording.source} {wrong}; give the recording that it was fitted to.")
