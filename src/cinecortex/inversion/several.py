"""The energies of several problems at once, in as many pieces as memory asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from cinecortex.encoders.altered import frames_passed
from cinecortex.encoders.base import Encoder
from cinecortex.errors import WrongUse
from cinecortex.inversion.plan import Plan, plan_for, while_it_fits
from cinecortex.inversion.problem import Problem, log_likelihoods


class Together:
    """Energies and gradients of problems of one encoder and one length; see `descent.minimise_many`.

    The encoder is asked once for as many movies as fit into memory, by default as many as `plan_for` finds. Where
    memory runs out nevertheless, the piece is made smaller (see `plan.smaller`) and the work goes on.

    Args:
        problems: At least one. The same problem may stand here more than once, and observations may differ in anything
            but their length.
        plan: What goes through the encoder together.

    Attributes:
        plan: What goes through the encoder together at present.
        frame_passes: For each problem, movie frames that went forward and backward so far, members of an ensemble and
            overlaps of stretches included; work that was lost for want of memory is not.
        ended: What memory made of the work, to be added to how it ended; empty where nothing happened.

    Raises:
        WrongUse: the problems differ in their encoder, their length, or in how its members are judged.
    """

    def __init__(self, problems: Sequence[Problem], *, plan: Plan | None = None) -> None:
        first = problems[0]
        for problem in problems:
            if problem.encoder is not first.encoder or problem.shape != first.shape:
                raise WrongUse("only problems of one encoder and one length can be solved together.")
            if len(problem.member_likelihoods) != len(first.member_likelihoods):
                raise WrongUse("problems solved together must all judge members one by one, or all their mean rate.")
        self.encoder, self._frames = first.encoder, first.shape[0]
        self.problems = list(problems)
        self.plan = plan_for(first.encoder, clips=len(problems), frames=first.shape[0]) if plan is None else plan
        self.frame_passes = [0] * len(problems)
        self.ended = ""
        self._shaped: dict[int | None, Encoder] = {}

    def __call__(self, positions: Tensor, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Energies in nats, ``batch``, and their gradients, ``batch ...``.

        Args:
            positions: Whitened coordinates, ``batch ...``.
            indices: Which problem each of them belongs to.

        Raises:
            OutOfMemory: not even the smallest piece fits.
        """
        values, gradients, done = [], [], 0
        while done < len(indices):
            left = slice(done, done + min(self.plan.clips, len(indices) - done))
            work = partial(self._evaluate, positions[left], indices[left])
            plan = replace(self.plan, clips=left.stop - done)
            (value, gradient), plan, words = while_it_fits(work, plan, self.encoder, self._frames)
            if words:
                self.plan, self.ended = plan, f"memory ran out, then {words}"
            values.append(value)
            gradients.append(gradient)
            done += len(value)
        return torch.cat(values), torch.cat(gradients)

    def _evaluate(self, positions: Tensor, indices: Sequence[int], plan: Plan) -> tuple[Tensor, Tensor]:
        """Of as many of them as the plan takes together, from the first on."""
        shaped = self._encoder(plan)
        positions, indices = positions[: plan.clips], indices[: plan.clips]
        problems = [self.problems[index] for index in indices]
        positions = positions.detach().requires_grad_()
        movies = torch.stack([problem.prior.movie(z) for problem, z in zip(problems, positions, strict=True)])
        known = log_likelihoods(problems, movies, encoder=shaped)
        energies = [p.prior.energy(z) - k for p, z, k in zip(problems, positions, known, strict=True)]
        values = torch.stack(energies)
        (gradient,) = torch.autograd.grad(values.sum(), positions)
        for index in indices:
            self.frame_passes[index] += frames_passed(shaped, self._frames)
        return values.detach(), gradient

    def _encoder(self, plan: Plan) -> Encoder:
        if plan.frames not in self._shaped:
            self._shaped[plan.frames] = plan.shaped(self.encoder)
        return self._shaped[plan.frames]
