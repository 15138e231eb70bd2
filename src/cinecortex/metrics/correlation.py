"""Pearson correlation along one axis, with one stated answer for everything that does not vary."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def standardised(
    values: Float[Tensor, "time *rest"], counted: Bool[Tensor, "time *#rest"]
) -> tuple[Float[Tensor, "time *rest"], Bool[Tensor, "*rest"]]:
    """Vectors along the first axis with mean 0 and length 1, in double precision, and which of them vary at all.

    Entries that are not counted are 0, and so is all of a vector that does not vary. NaN stays NaN.
    """
    values = values.double()
    known = torch.where(counted, values, 0.0)
    mean = known.sum(0) / counted.sum(0).clamp(min=1)
    centred = torch.where(counted, values - mean, 0.0)
    # Exact, where a threshold on the variance would have to guess at rounding.
    highest = torch.where(counted, values, -torch.inf).amax(0)
    lowest = torch.where(counted, values, torch.inf).amin(0)
    varies = (highest > lowest) | mean.isnan()
    unit = centred / centred.norm(dim=0).masked_fill(~varies, 1.0)
    return torch.where(varies, unit, 0.0), varies


def correlate(
    guess: Float[Tensor, "time *rest"],
    truth: Float[Tensor, "time *rest"],
    counted: Bool[Tensor, "time *rest"] | None = None,
) -> Float[Tensor, "*rest"]:
    """Pearson correlation of ``guess`` with ``truth`` along the first axis, in double precision.

    The two sides are not equal: a guess that does not vary tells nothing and scores 0 (a method that gives up must
    not leave the average for that), while a truth that does not vary leaves nothing to tell and the score is NaN.

    Args:
        guess: What is judged.
        truth: What it is judged by.
        counted: Which entries count; all when None.

    Returns:
        Correlations in [-1, 1].
    """
    counted = torch.ones_like(truth, dtype=torch.bool) if counted is None else counted
    unit_guess, _ = standardised(guess, counted)
    unit_truth, truth_varies = standardised(truth, counted)
    return (unit_guess * unit_truth).sum(0).clamp(-1.0, 1.0).masked_fill(~truth_varies, torch.nan)
