"""Fitting an ensemble: members by seed and by fold, of one or several architectures, in turn or in parallel."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model, load_model, save_model
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.evaluation import measure_observation_model, observation_model_of, shown_of
from cinecortex.encoders.fit import predictions
from cinecortex.encoders.train import Architecture, Compact, Settings, fit_model, kind_of, scores_of, session_facts
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed
from cinecortex.stimuli.spectrum import measure_movies

Progress = Callable[[int, int, str], None]
By = Literal["fold", "seed"]


@dataclass(frozen=True)
class _Job:
    """One member, and where it is written; it travels to the process that fits it."""

    recordings: tuple[Recording, ...]
    architecture: Architecture
    settings: Settings | None
    seed: Seed
    folds: int
    select_fold: int
    member: int
    state: Path

    @property
    def folder(self) -> Path:
        """Under a name that only the very same member of the very same fit has."""
        plan = (
            [recording.fingerprint for recording in self.recordings],
            kind_of(self.architecture),
            asdict(self.architecture),
            None if self.settings is None else asdict(self.settings),
            repr(self.seed),
            self.folds,
            self.select_fold,
        )
        digest = hashlib.blake2b(json.dumps(plan).encode(), digest_size=8).hexdigest()
        return self.state / f"member{self.member}-{digest}"

    @property
    def unfinished(self) -> Path:
        return self.folder.with_name(self.folder.name + ".unfinished")


def fit(
    recording: Recording,
    architecture: Architecture = Compact(),  # noqa: B008 - frozen
    *,
    members: int = 1,
    **options: Any,
) -> Encoder:
    """Fit an encoder to one session, or an `Ensemble` where there are several ``members``.

    The other options are those of `fit_model`, or of `fit_ensemble`.
    """
    if members == 1:
        return fit_model([recording], architecture, **options).session(recording.session_id)
    return fit_ensemble([recording], [architecture], members=members, **options).session(recording.session_id)


def fit_ensemble(
    recordings: Sequence[Recording],
    architectures: Sequence[Architecture] = (Compact(),),
    *,
    members: int,
    by: By = "fold",
    settings: Sequence[Settings | None] | None = None,
    seed: Seed = Seed(0),  # noqa: B008 - frozen
    folds: int = 8,
    select_fold: int = 0,
    state: Path | None = None,
    resume: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Model:
    """Fit an ensemble to one or several sessions.

    Every member has a random stream of its own. By fold, each also selects on another fold, so that every clip of the
    folds used is fitted to by most members; by seed, all select on the same fold, which no member is fitted to.

    Args:
        recordings: The sessions.
        architectures: What the members are, in turn.
        members: How many.
        by: Whether members differ by fold and seed or by seed only.
        settings: How each architecture is fitted; None for its own way.
        seed: Root of every random stream.
        folds: How many folds the training clips are dealt into.
        select_fold: Which of them the first member selects on.
        state: Folder for finished members and for the state of unfinished ones.
        resume: Go on from ``state``: finished members are kept, others go on where they were.
        workers: How many members are fitted at a time, each in a process of its own.
        progress: Told after every epoch where there is one worker, else after every member.

    Returns:
        A model whose sessions are `Ensemble` encoders.

    Raises:
        BadData, WrongUse: as for `fit_model`; also where ``members`` is below 2.
    """
    if members < 2 or by not in ("fold", "seed") or workers < 1:
        raise WrongUse(
            f"an ensemble has at least 2 members, by fold or by seed, and 1 worker; got {members}, {by!r}, {workers}."
        )
    settings = settings if settings is not None else [None] * len(architectures)
    with nullcontext(state) if state is not None else TemporaryDirectory() as named:
        place = Path(named)
        jobs = [
            _Job(
                tuple(recordings),
                architectures[member % len(architectures)],
                settings[member % len(architectures)],
                seed,
                folds,
                (select_fold + member) % folds if by == "fold" else select_fold,
                member,
                place,
            )
            for member in range(members)
        ]
        _make_way(place, jobs, resume)
        _fit_all(jobs, resume, workers, progress)
        models = [load_model(job.folder) for job in jobs]
    return _joined(recordings, models, {"by": by, "seed": seed.root, "folds": folds, "select_fold": select_fold})


def _make_way(state: Path, jobs: Sequence[_Job], resume: bool) -> None:
    if not resume:
        shutil.rmtree(state, ignore_errors=True)
    elif state.exists() and any(state.iterdir()) and not any(j.folder.exists() or j.unfinished.exists() for j in jobs):
        raise WrongUse(
            f"{state} was left by a fit of other recordings, settings or another seed; repeat those to go on with "
            "it, or leave out --resume to begin anew."
        )
    state.mkdir(parents=True, exist_ok=True)


def _fit_all(jobs: Sequence[_Job], resume: bool, workers: int, progress: Progress | None) -> None:
    waiting = [job for job in jobs if not job.folder.exists()]
    if workers == 1:
        for job in waiting:
            _fit_member(job, resume, _told(progress, job.member, len(jobs)))
        return
    # Spawned, not forked: a fork of a process in which torch has threads can hang.
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        fits = {pool.submit(_fit_member, job, resume): job for job in waiting}
        try:
            for done, finished in enumerate(as_completed(fits), len(jobs) - len(waiting) + 1):
                finished.result()
                if progress is not None:
                    progress(done, len(jobs), f"member {fits[finished].member} is fitted")
        finally:
            pool.shutdown(cancel_futures=True)  # where one member failed, the others are not begun


def _fit_member(job: _Job, resume: bool, progress: Progress | None = None) -> None:
    model = fit_model(
        job.recordings,
        job.architecture,
        settings=job.settings,
        seed=job.seed,
        folds=job.folds,
        select_fold=job.select_fold,
        member=job.member,
        state=job.unfinished,
        resume=resume,
        progress=progress,
    )
    save_model(model, job.folder)
    shutil.rmtree(job.unfinished, ignore_errors=True)


def _told(progress: Progress | None, member: int, members: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, message: progress(
        member * total + done, members * total, f"member {member + 1} of {members}: {message}"
    )


def _joined(recordings: Sequence[Recording], models: Sequence[Model], facts: Mapping[str, Any]) -> Model:
    sessions = dict[str, Encoder]()
    fitted = []
    for recording in recordings:
        ensemble = Ensemble([model.session(recording.session_id) for model in models]).eval()
        told = [session_facts(model, recording.session_id) for model in models]
        sessions[recording.session_id] = ensemble
        fitted.append(_measured(recording, ensemble, told))
    members = [dict(model.facts) for model in models]
    return Model(sessions, {"kind": Ensemble.kind, **facts, "members": members, "fitted": fitted})


def _measured(recording: Recording, ensemble: Ensemble, told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Observation model, movie statistics and scores of one session's ensemble; and what it was fitted on."""

    def trials(role: str, *, of_all: bool) -> list[Trial]:
        sets = [set(facts["trials"][role]) for facts in told]
        ids = set.intersection(*sets) if of_all else set.union(*sets)
        return [trial for trial in recording.trials if trial.trial_id in ids]

    shared, seen = trials("select", of_all=True), trials("train", of_all=False)
    statistics = measure_movies(trial.movie for trial in seen)
    ensemble.movie_statistics = statistics
    for member in ensemble.members:
        member.movie_statistics = statistics
    if shared:
        ensemble.observation_model = measure_observation_model(ensemble, shared, seen)
        measured_on = "clips that no member was fitted to"
    else:
        unfitted = [set(facts["trials"]["train"]) for facts in told]
        chosen = trials("select", of_all=False)
        apart = list(_out_of_fold(ensemble, chosen, unfitted))
        ensemble.observation_model = observation_model_of(apart, shown_of(ensemble, seen))
        measured_on = "each clip by the members that were not fitted to it, which scatter more than all together"
    clips = {role: sorted({c for facts in told for c in facts["clips"][role]}) for role in ("train", "select")}
    mean = torch.tensor([facts["mean_response"] for facts in told], dtype=torch.float32).mean(0)
    test = [trial for trial in recording.trials if trial.tier != "train"]
    first = dict(told[0])
    return {
        **{name: first[name] for name in ("session_id", "recording_fingerprint", "response_unit", "dropped")},
        # Decoders are fitted to these; every clip that any member saw is among the clips below.
        "trials": first["trials"],
        "clips": clips,
        "history": [],
        "ended": "; ".join(f"member {number}: {facts['ended']}" for number, facts in enumerate(told)),
        "observation_model_measured_on": measured_on,
        "mean_response": [round(value, 4) for value in mean.tolist()],
        **scores_of(ensemble, shared, test, mean),
    }


def _out_of_fold(ensemble: Ensemble, trials: Sequence[Trial], fitted: Sequence[set[str]]) -> Iterator[Any]:
    """Mean rate of the members that were not fitted to a trial, and its response, trial by trial."""
    for trial in trials:
        apart = [m for m, own in zip(ensemble.members, fitted, strict=True) if trial.trial_id not in own]
        if not apart:
            raise BadData(f"every member was fitted to trial {trial.trial_id}, which one of them was selected on.")
        rate, response = next(predictions(Ensemble(apart), [trial]))
        yield rate[-_least(ensemble, apart, rate) :], response[-_least(ensemble, apart, rate) :]


def _least(ensemble: Ensemble, apart: Sequence[Encoder], rate: torch.Tensor) -> int:
    """Settled frames of the whole ensemble, of which the members here may have more."""
    more = max(member.memory for member in ensemble.members) - max(member.memory for member in apart)
    return max(1, len(rate) - more)
