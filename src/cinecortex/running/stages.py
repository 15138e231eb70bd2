"""The stages that all sessions of a study share: what was recorded, and the encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cinecortex.choosing import choose_architectures, load_recordings
from cinecortex.consent import stated_consent
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.members import fit_ensemble
from cinecortex.encoders.train import fit_model
from cinecortex.errors import BadData
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.recording import Recording
from cinecortex.running.made import Made
from cinecortex.seeds import Seed
from cinecortex.simulation.session import write_session
from cinecortex.study import Progress
from cinecortex.studyfile import Study

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens a stage by its title and gives what reports its progress."""
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a study.

    Attributes:
        study: What is asked for.
        made: What earlier runs made.
        command: For the record.
        stage: Opens a stage.
        say: Told what is there already, and what is not.
    """

    study: Study
    made: Made
    command: str
    stage: Stage
    say: Say

    @property
    def seed(self) -> Seed:
        """Root of every random number."""
        return Seed(self.study.seed)

    def key(self, content: Mapping[str, Any]) -> str:
        """Content address of something that is made of this, the seed, and this version."""
        return fingerprint({**content, "seed": self.seed, "version": version("cinecortex")})


def recorded(run: Run) -> tuple[Recording, ...]:
    """The recordings; an in-silico mouse is made first.

    Raises:
        BadData, WrongUse: as for `load_all`; and a subject is human and the study states no consent.
    """
    asked = run.study.recordings
    test = None if asked.test_frames is None else "{}:{}".format(*asked.test_frames)
    paths = list(asked.paths or ()) if asked.simulate is None else [_simulated(run, asked.simulate.model_dump())]
    recordings = load_recordings(paths, asked.clip_frames, test)
    for recording in recordings:
        stated_consent(recording, asked.consent)
    return recordings


def _simulated(run: Run, settings: Mapping[str, Any]) -> Path:
    folder, key = run.made.folder / "mouse", run.key({"simulate": dict(settings)})
    if not run.made.there("mouse", key, "recording", run.say):
        shutil.rmtree(folder, ignore_errors=True)
        with run.stage("simulating a mouse") as progress:
            write_session(folder, seed=run.seed, **settings, progress=lambda done, total: progress(done, total, ""))
        run.made.note("mouse", key)
    return folder


def fitted(run: Run, recordings: Sequence[Recording]) -> Model:
    """The encoder, as it is given or fitted; a fit that was stopped goes on.

    Raises:
        BadData, WrongUse: as for `load_model`, `fit_model` and `fit_ensemble`.
    """
    asked, folder = run.study.encoder, run.made.folder / "encoder"
    if asked.folder is not None:
        run.say(f"encoder: as given, {asked.folder}")
        return load_model(asked.folder)
    content = {
        "encoder": asked.model_dump(mode="json"),
        "recordings": [recording.fingerprint for recording in recordings],
        "cut": run.study.recordings.model_dump(mode="json", include={"clip_frames", "test_frames"}),
    }
    key = run.key(content)
    if run.made.there("encoder", key, "encoder", run.say):
        return load_model(folder)
    # Named after what goes into it: nobody goes on with what another fit left.
    state = run.made.folder / f"encoder-{key[:12]}.unfinished"
    try:
        model = _fit(run, recordings, state)
    except BadData:
        if not state.exists():
            raise
        run.say(f"encoder: {state} cannot be gone on with, the fit begins anew")
        shutil.rmtree(state)
        model = _fit(run, recordings, state)
    save_model(model, folder)
    run.made.note("encoder", key)
    for left in run.made.folder.glob("encoder-*.unfinished"):
        shutil.rmtree(left, ignore_errors=True)
    return model


def _fit(run: Run, recordings: Sequence[Recording], state: Path) -> Model:
    asked = run.study.encoder
    kinds = choose_architectures(
        ",".join(asked.kind),
        asked.members,
        epochs=asked.epochs,
        width=asked.width,
        samples=asked.samples,
        batch=asked.batch,
    )
    if state.exists():
        run.say(f"encoder: going on from {state}")
    options: dict[str, Any] = {"folds": asked.folds, "select_fold": asked.select_fold, "seed": run.seed}
    options |= {"state": state, "resume": state.exists()}
    with run.stage("fitting the encoder") as progress:
        if asked.members == 1:
            architecture, settings = kinds[0]
            return fit_model(recordings, architecture, settings=settings, progress=progress, **options)
        architectures, ways = zip(*kinds, strict=True)
        options |= {"members": asked.members, "by": asked.by, "workers": run.study.execution.workers or 1}
        return fit_ensemble(recordings, architectures, settings=ways, progress=progress, **options)
