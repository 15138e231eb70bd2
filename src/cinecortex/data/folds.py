"""Folds and splits by clip group: no clip, and no near-copy of one, is ever on two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cinecortex.data.identity import clip_groups
from cinecortex.errors import BadData, WrongUse
from cinecortex.recording import Recording, Trial
from cinecortex.seeds import Seed

_TRAIN = "train"


@dataclass(frozen=True)
class Dropped:
    """A trial that may be used for nothing, and why.

    Attributes:
        trial: The trial.
        reason: One sentence.
    """

    trial: Trial
    reason: str


@dataclass(frozen=True, eq=False)
class Split:
    """The trials of a study by role.

    Attributes:
        train: What weights are fitted to.
        select: What settings are chosen on.
        test: What is reported.
        dropped: Training trials that were removed because their clip is also tested.
    """

    train: tuple[Trial, ...]
    select: tuple[Trial, ...]
    test: tuple[Trial, ...]
    dropped: tuple[Dropped, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Split({len(self.train)} train, {len(self.select)} select, {len(self.test)} test trials, "
            f"{len(self.dropped)} dropped)"
        )


def folds_by_clip(trials: Sequence[Trial], *, folds: int, seed: Seed) -> tuple[tuple[Trial, ...], ...]:
    """Divide trials into folds of about equal size, never dividing a clip group.

    Args:
        trials: Trials of one or several sessions.
        folds: Number of folds.
        seed: Which groups share a fold.

    Returns:
        The folds; within each, trials keep their order.

    Raises:
        WrongUse: there are fewer clip groups than folds, or fewer than two folds.
    """
    return _deal(trials, clip_groups(trials), folds, seed)


def split(
    recordings: Sequence[Recording],
    *,
    seed: Seed,
    folds: int = 8,
    select_fold: int = 0,
    test_tiers: Sequence[str] | None = None,
) -> Split:
    """Give every trial its role: trials of tier ``train`` to train and select, those of other tiers to test.

    A training trial whose clip, or a near-copy of it, is tested in any of the sessions is removed and reported.

    Args:
        recordings: All sessions of the study.
        seed: Which clips are set aside for selection.
        folds: Number of folds that the training trials are dealt into.
        select_fold: Which of them is set aside for selection.
        test_tiers: Tiers to test on; by default all except ``train``.

    Raises:
        WrongUse: a tier does not exist, or there are too few clips for ``folds``.
        BadData: there is no training trial.
    """
    if not 0 <= select_fold < folds:
        raise WrongUse(f"select_fold is {select_fold}; with {folds} folds it lies in 0..{folds - 1}.")
    tiers = dict.fromkeys(tier for recording in recordings for tier in recording.tiers)
    tested = [tier for tier in tiers if tier != _TRAIN] if test_tiers is None else test_tiers
    for tier in tested:
        if tier == _TRAIN or tier not in tiers:
            raise WrongUse(
                f"test_tiers names {tier!r}; the tiers to choose from are {[t for t in tiers if t != _TRAIN]}."
            )
    training = [trial for recording in recordings for trial in recording.tier(_TRAIN)]
    test = tuple(trial for recording in recordings for trial in recording.tier(*tested))
    if not training:
        raise BadData(
            f"{recordings[0].source if recordings else 'the list of recordings'} has no trial of tier 'train'."
        )
    groups = clip_groups([*training, *test])
    unseen = {groups[_key(trial)]: trial for trial in test}
    dropped = tuple(
        Dropped(trial, f"Its clip is also shown in {unseen[groups[_key(trial)]]!r}, which is tested.")
        for trial in training
        if groups[_key(trial)] in unseen
    )
    kept = [trial for trial in training if groups[_key(trial)] not in unseen]
    dealt = _deal(kept, groups, folds, seed)
    select = {_key(trial) for trial in dealt[select_fold]}
    return Split(
        train=tuple(trial for trial in kept if _key(trial) not in select),
        select=dealt[select_fold],
        test=test,
        dropped=dropped,
    )


def _key(trial: Trial) -> tuple[str, str]:
    return trial.session_id, trial.trial_id


def _deal(
    trials: Sequence[Trial], groups: Mapping[tuple[str, str], int], folds: int, seed: Seed
) -> tuple[tuple[Trial, ...], ...]:
    """Largest group first, each to the smallest fold so far; equals in an order drawn from the seed."""
    members: dict[int, list[Trial]] = {}
    for trial in trials:
        members.setdefault(groups[_key(trial)], []).append(trial)
    if not 2 <= folds <= len(members):
        raise WrongUse(f"folds is {folds}; with {len(members)} distinct clips it lies in 2..{len(members)}.")
    order = (seed / "folds").numpy().permutation(sorted(members))
    sizes, fold_of = [0] * folds, {}
    for group in sorted(order.tolist(), key=lambda group: -len(members[group])):
        smallest = sizes.index(min(sizes))
        fold_of[group] = smallest
        sizes[smallest] += len(members[group])
    return tuple(tuple(trial for trial in trials if fold_of[groups[_key(trial)]] == fold) for fold in range(folds))
