"""Training the convolutional decoder: linear answers to unseen clips first, then the network that refines them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cinecortex.decoders.bayesian_fit import Ground, lay_ground, linear_model
from cinecortex.decoders.bayesian_linear import BayesianLinear
from cinecortex.decoders.convolutional import Convolutional, Refiner, Scale, Shape, linear_answer, make_inputs
from cinecortex.decoders.energies import DescribedMask, Layout, described
from cinecortex.decoders.moments import Sums, sum_up
from cinecortex.decoders.training import need_trials
from cinecortex.errors import BadData, WrongUse
from cinecortex.metrics.movies import movie_correlation
from cinecortex.recording import Trial
from cinecortex.seeds import Seed
from cinecortex.tensors import Mask, Movie

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)`` after every epoch."""


@dataclass(frozen=True)
class Training:
    """How the network is trained.

    Attributes:
        epochs: Most epochs to run.
        patience: Stop when the select score has not risen for this many epochs.
        frames_per_step: Frames in one step of the optimizer.
        window: Longest stretch of a clip in a step, in frames.
        learning_rate: Peak learning rate of AdamW; it falls to a fiftieth along a cosine.
        weight_decay: Of AdamW.
        folds: Parts of the training clips, each answered by a linear decoder fitted to the others.
        unheard: Largest share of neurons left out of a training answer; every other answer leaves none out.
    """

    epochs: int = 4
    patience: int = 2
    frames_per_step: int = 192
    window: int = 48
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    folds: int = 4
    unheard: float = 0.5


@dataclass(frozen=True, eq=False)
class Answered:
    """A trial with the answer of a linear decoder that was not fitted to its clip.

    Attributes:
        deviation: Posterior mean of movie and energies minus the training mean, half precision.
        spread: Posterior standard deviation, averaged over frames.
        movie: The movie that was shown minus its training mean, half precision.
        weight: One over the variance of the clip, so that clips of all contrasts count.
    """

    deviation: Tensor
    spread: DescribedMask
    movie: Tensor
    weight: float


def fit_convolutional(
    train: Sequence[Trial],
    select: Sequence[Trial],
    *,
    seed: Seed,
    shape: Shape = Shape(),  # noqa: B008 - frozen
    training: Training = Training(),
    lags: tuple[int, int] = (-2, 18),
    features: int = 4_000,
    components: int = 400,
    correlation_time: float = 10.0,
    factors: int = 100,
    progress: Progress | None = None,
) -> Convolutional:
    """Fit both stages to the training trials; keep the network of the best epoch on the select trials.

    The training clips are dealt into folds. The clips of each are answered by a linear decoder fitted to the other
    folds, as an answer to a clip that was fitted to would be better than any that the network will meet. The sums
    behind the decoders are made once and added up as needed. The loss is the squared error over the variance of the
    clip, weighed at each pixel by the share of the variance that the responses explain there.

    Memory grows with the training frames: about 12 kB for each of 36x64 pixels.

    Args:
        train: Trials to fit; at least two clips.
        select: Trials of other clips, to stop on.
        seed: Root of the weights, the order of clips and the neurons left out.
        shape: Shape of the network.
        training: How to train it.
        lags: First and last lag in frames, as for `fit_bayesian`.
        features: About how many features, as there.
        components: Most principal components of movies and energies together.
        correlation_time: Frames that one independent frame stands for in the linear stage.
        factors: Shared noise factors of the linear stage.
        progress: Told after every epoch.

    Raises:
        WrongUse: no trials, or a single clip.
        BadData: a trial has no response, or its shape is not that of the first.
    """
    need_trials("convolutional", train=train, select=select)
    layout = Layout(train[0].frame_size)
    wide = [described(trial) for trial in train]
    ground = lay_ground(wide, lags=lags, features=features, components=components)
    folds = _deal(train, training.folds)
    sums = [sum_up([wide[i] for i in fold], ground.lagging, ground.image, ground.basis) for fold in folds]

    def fitted(parts: Sequence[Sums]) -> BayesianLinear:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return linear_model(ground, total.moments(), correlation_time, factors)

    answered = []
    for number, fold in enumerate(folds):
        linear = fitted([part for other, part in enumerate(sums) if other != number])
        answered += [_answered(linear, train[i], layout, seed / "unheard" / i, training.unheard) for i in fold]
    linear = fitted(sums)
    del sums
    held = [_answered(linear, trial, layout, seed, 0.0) for trial in select]
    torch_state = torch.random.get_rng_state()
    torch.manual_seed((seed / "weights").integer() % 2**63)
    refiner = Refiner(layout, shape)
    torch.random.set_rng_state(torch_state)
    decoder = Convolutional(linear, refiner, _scale(ground, layout), (), "")
    history, ended = _train(decoder, answered, held, training, seed / "order", progress)
    refiner.eval().requires_grad_(False)
    return Convolutional(linear, refiner, decoder.scale, tuple(history), ended)


def _deal(trials: Sequence[Trial], folds: int) -> list[list[int]]:
    """Numbers of the trials of each fold; all presentations of a clip are in one."""
    clips = list(dict.fromkeys(trial.clip_id for trial in trials))
    if len(clips) < 2:
        raise WrongUse("the convolutional decoder needs at least two training clips; one was given.")
    number = {clip: order % min(folds, len(clips)) for order, clip in enumerate(clips)}
    dealt: list[list[int]] = [[] for _ in range(min(folds, len(clips)))]
    for index, trial in enumerate(trials):
        dealt[number[trial.clip_id]].append(index)
    return dealt


def _answered(linear: BayesianLinear, trial: Trial, layout: Layout, seed: Seed, unheard: float) -> Answered:
    observation, movie = trial.observe(), trial.movie
    random = seed.numpy()
    share = max(0.0, random.uniform(-unheard, unheard))  # none in every other trial
    heard = torch.from_numpy(random.random(observation.heard.numel()) >= share)
    deviation, spread = linear_answer(linear, observation.hearing(heard))
    shown = movie - layout.picture(linear.image[None])[0]
    # A clip of hardly any contrast must not outweigh all others.
    weight = 1.0 / (float(movie.var(correction=0)) + 0.1 * float(linear.rest.mean()) + 0.004)
    return Answered(deviation.half(), spread, shown.half(), weight)


def _scale(ground: Ground, layout: Layout) -> Scale:
    variance = (ground.basis.square().sum(0) + ground.rest).reshape(1, *ground.image.shape)
    floor = 1e-12
    movie, energy = layout.picture(variance).mean(), layout.energies(variance).mean()
    return Scale(math.sqrt(max(float(movie), floor)), math.sqrt(max(float(energy), floor)))


def _explained(decoder: Convolutional) -> Mask:
    """Share of the variance of each pixel that the responses explain, with the largest as 1."""
    linear = decoder.linear
    _, covariance = linear.solve(torch.ones(linear.lagging.features, dtype=torch.bool))
    prior = linear.components.square().sum(0) + linear.rest
    posterior = ((covariance @ linear.components) * linear.components).sum(0) + linear.rest
    share = (1 - posterior / prior.clamp_min(1e-12)).clamp(0.0, 1.0).reshape(linear.image.shape)
    share = decoder.refiner.layout.picture(share[None])[0]
    return share / share.max().clamp_min(1e-6)


def _train(
    decoder: Convolutional,
    train: Sequence[Answered],
    select: Sequence[Answered],
    training: Training,
    seed: Seed,
    progress: Progress | None,
) -> tuple[list[float], str]:
    """Descend; the refiner is left with the weights of the best epoch, which may be those of the start."""
    importance = _explained(decoder)
    accelerator = Accelerator()
    refiner = accelerator.prepare(decoder.refiner)
    optimizer = torch.optim.AdamW(
        refiner.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, betas=(0.9, 0.98)
    )
    window = min(training.window, *(len(answer.movie) for answer in train))
    history, best = [_score(decoder, select, importance)], copy.deepcopy(decoder.refiner.state_dict())
    pixel_weight = (importance + 0.05).to(accelerator.device)
    for epoch in range(training.epochs):
        steps = list(_steps(train, window, training.frames_per_step, seed / epoch))
        for number, step in enumerate(steps):
            _set_learning_rate(optimizer, training, epoch + number / len(steps), warm=20 / len(steps))
            inputs, target, weight = (part.to(accelerator.device) for part in _batch(decoder, train, step, window))
            optimizer.zero_grad(set_to_none=True)
            with accelerator.autocast():
                missed = target - refiner(inputs)
            loss = (missed.float().square() * pixel_weight).mean((1, 2, 3)) @ weight
            accelerator.backward(loss)
            nn.utils.clip_grad_norm_(refiner.parameters(), 1.0)
            optimizer.step()
            if not math.isfinite(loss.item()):
                raise BadData("the loss became infinite or not a number; look at the responses with `inspect`.")
        history.append(_score(decoder, select, importance))
        if history[-1] > max(history[:-1]):
            best = copy.deepcopy(decoder.refiner.state_dict())
        if progress is not None:
            progress(epoch + 1, training.epochs, f"select correlation {history[-1]:.3f}")
        if len(history) - 1 - history.index(max(history)) >= training.patience:
            break
    decoder.refiner.load_state_dict(best)
    decoder.refiner.cpu()
    return history, f"epoch {history.index(max(history))} of {len(history) - 1} was best on select trials"


def _set_learning_rate(optimizer: torch.optim.Optimizer, training: Training, epoch: float, *, warm: float) -> None:
    fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * epoch / training.epochs))
    for group in optimizer.param_groups:
        group["lr"] = training.learning_rate * fall * min(1.0, (epoch + 0.1 * warm) / warm)


def _steps(train: Sequence[Answered], window: int, frames_per_step: int, seed: Seed) -> Iterator[list[tuple[int, int]]]:
    """One epoch: trial and first frame of every window, in random order, some for each step."""
    random = seed.numpy()
    windows = []
    for number, answer in enumerate(train):
        spare = len(answer.movie) - window
        begin = int(random.integers(0, min(spare, window - 1) + 1))
        windows += [(number, first) for first in range(begin, spare + 1, window)]
    order = random.permutation(len(windows))
    size = max(1, frames_per_step // window)
    for first in range(0, len(order), size):
        yield [windows[i] for i in order[first : first + size]]


def _batch(
    decoder: Convolutional, train: Sequence[Answered], step: Sequence[tuple[int, int]], window: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, what to add to the linear answer in units of the scale, and the weight of each window."""
    layout, scale = decoder.refiner.layout, decoder.scale
    inputs, targets, weights = [], [], []
    for number, first in step:
        answer = train[number]
        deviation = answer.deviation[first : first + window].float()
        shown = answer.movie[first : first + window].float()
        inputs.append(make_inputs(deviation, answer.spread, layout, scale))
        targets.append((shown - layout.picture(deviation)) / scale.movie)
        weights.append(answer.weight * scale.movie**2 / len(step))
    return torch.stack(inputs), torch.stack(targets), torch.tensor(weights)


def _score(decoder: Convolutional, select: Sequence[Answered], importance: Mask) -> float:
    """Movie correlation on the pixels that the responses tell about, averaged over the clips that vary there."""
    scores = []
    for answer in select:
        image, shown = decoder.image, answer.movie.float()
        guess: Movie = (image + decoder.refine(answer.deviation.float(), answer.spread)).clamp(0.0, 1.0)
        scores.append(movie_correlation(guess, image + shown, mask=importance, threshold=0.3, burn_in=0))
    return float(torch.tensor(scores).nanmean().nan_to_num())
