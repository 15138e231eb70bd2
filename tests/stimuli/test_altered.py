"""Altered movies keep what they should and destroy what they should."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.stimuli.altered import (
    contrast_changed,
    luminance_shifted,
    patches_shuffled,
    phase_scrambled,
    polarity_inverted,
    time_reversed,
)
from cinecortex.stimuli.dead_leaves import dead_leaves

SEED = Seed(9)


@pytest.fixture(scope="module")
def leaves() -> torch.Tensor:
    return dead_leaves(SEED / "leaves", frames=40)


def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0, 1.0), root=st.integers(0, 100))
def test_contrast_changes_about_the_mean_and_by_the_factor(factor: float, root: int) -> None:
    movie = torch.rand(5, 4, 6, generator=Seed(root).torch())
    altered = contrast_changed(movie, factor)
    torch.testing.assert_close(altered.mean(), movie.mean())
    torch.testing.assert_close(altered.std(), factor * movie.std(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(contrast_changed(movie, 1.0), movie)


def test_more_contrast_than_the_screen_has_is_clipped() -> None:
    movie = torch.tensor([0.1, 0.5, 0.9])[:, None, None].expand(3, 2, 2)
    altered = contrast_changed(movie, 1.5)
    torch.testing.assert_close(altered[:, 0, 0], torch.tensor([0.0, 0.5, 1.0]))
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(WrongUse, match="contrast"):
            contrast_changed(movie, wrong)


def test_inverted_reversed_and_shifted_movies_can_be_undone(leaves: torch.Tensor) -> None:
    inverted = polarity_inverted(leaves)
    assert likeness(inverted, leaves) == pytest.approx(-1)
    torch.testing.assert_close(polarity_inverted(inverted), leaves)
    backwards = time_reversed(leaves)
    assert torch.equal(backwards[3], leaves[-4])
    assert torch.equal(time_reversed(backwards), leaves)
    dim = 0.2 + 0.5 * leaves
    torch.testing.assert_close(luminance_shifted(luminance_shifted(dim, 0.2), -0.2), dim)
    assert float(luminance_shifted(leaves, 0.9).max()) == 1.0
    assert float(luminance_shifted(leaves, -2.0).max()) == 0.0


def test_scrambled_phases_leave_luminances_and_spectrum_and_no_content(leaves: torch.Tensor) -> None:
    altered = phase_scrambled(leaves, SEED)
    assert torch.equal(altered.flatten().sort().values, leaves.flatten().sort().values)
    wanted, found = (torch.fft.rfftn(movie.double()).abs().flatten()[1:] for movie in (leaves, altered))
    distance = ((found - wanted).square().sum() / wanted.square().sum()).sqrt()
    assert float(distance) < 0.05
    unadapted = torch.fft.rfftn(phase_scrambled(leaves, SEED, iterations=0).double()).abs().flatten()[1:]
    assert float(((unadapted - wanted).square().sum() / wanted.square().sum()).sqrt()) > float(distance)
    # Edges are rare and strong where there are shapes; scrambled, the same power is spread evenly.
    edges = [movie.diff(dim=2).flatten() for movie in (leaves, altered)]
    tails = [float((edge**4).mean() / (edge**2).mean() ** 2) for edge in edges]
    assert tails[1] < 0.5 * tails[0]
    assert torch.equal(altered, phase_scrambled(leaves, SEED))
    assert not torch.equal(altered, phase_scrambled(leaves, SEED / "other"))


def test_scrambled_phases_are_those_of_nothing_that_was_shown(leaves: torch.Tensor) -> None:
    alike = [likeness(phase_scrambled(leaves[:12], SEED / n, iterations=3), leaves[:12]) for n in range(12)]
    assert abs(sum(alike) / 12) < 0.25
    assert max(map(abs, alike)) < 0.8
    still = leaves[:1].expand(6, -1, -1)
    torch.testing.assert_close(phase_scrambled(still, SEED).std(0).mean(), torch.tensor(0.0), atol=0.02, rtol=0)
    assert torch.equal(phase_scrambled(torch.full((3, 4, 4), 0.3), SEED), torch.full((3, 4, 4), 0.3))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(4, 20), width=st.integers(4, 20), patch=st.integers(1, 6), root=st.integers(0, 100))
def test_shuffled_patches_are_all_there_and_all_elsewhere(height: int, width: int, patch: int, root: int) -> None:
    movie = torch.arange(2 * height * width).view(2, height, width).float()
    rows, columns = max(height // patch, 2), max(width // patch, 2)
    altered = patches_shuffled(movie, Seed(root), patch=(patch, patch))
    assert torch.equal(altered.flatten().sort().values, movie.flatten())
    tall, wide = height // rows, width // columns
    filled = altered[:, : rows * tall, : columns * wide], movie[:, : rows * tall, : columns * wide]
    assert not (filled[0] == filled[1]).any()
    # Within a patch each pixel has the neighbours that it had.
    one = filled[0].unflatten(1, (rows, tall)).unflatten(3, (columns, wide))
    assert bool((one.diff(dim=2) == width).all())
    assert bool((one.diff(dim=4) == 1).all())
    assert bool((one.diff(dim=0) == height * width).all())


def test_patches_fill_the_frame_of_the_release(leaves: torch.Tensor) -> None:
    altered = patches_shuffled(leaves, SEED)
    assert not (altered == leaves).all(0).any(0).all()
    assert abs(likeness(altered, leaves)) < 0.6
    assert torch.equal(altered, patches_shuffled(leaves, SEED))
    with pytest.raises(WrongUse, match="two patches"):
        patches_shuffled(leaves[:, :1, :1], SEED)
