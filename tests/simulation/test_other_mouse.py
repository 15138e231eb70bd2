import numpy as np
import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.seeds import Seed
from cinecortex.simulation.behavior import draw_behavior, resting_behavior
from cinecortex.simulation.other_mouse import OtherMouse
from cinecortex.stimuli.dead_leaves import dead_leaves


@pytest.fixture(scope="module")
def mouse() -> OtherMouse:
    return OtherMouse.draw(neurons=60, seed=Seed(1))


def test_it_answers_to_movies_as_reliably_as_the_first_mouse(mouse: OtherMouse) -> None:
    rates, responses = [], []
    for i in range(5):
        movie, behavior = dead_leaves(Seed(3) / i), draw_behavior(300, Seed(4) / i)
        rates.append(mouse.rate(movie, behavior))
        responses.append(mouse.respond(movie, behavior, Seed(5) / i))
    rate, response = torch.cat(rates).numpy(), torch.cat(responses).numpy()
    correlation = [np.corrcoef(rate[:, n], response[:, n])[0, 1] for n in range(mouse.neurons)]
    assert 0.3 < np.median(correlation) < 0.5
    assert response.min() == 0


def test_every_neuron_looks_where_the_truth_says(mouse: OtherMouse) -> None:
    row, column = np.mgrid[:36, :64]
    movie = dead_leaves(Seed(3), frames=40).requires_grad_()
    rate = mouse.rate(movie, resting_behavior(40))
    for neuron in rate.mean(0).argsort(descending=True)[:4].tolist():
        (gradient,) = torch.autograd.grad(rate[:, neuron].sum(), movie, retain_graph=True)
        energy = (gradient**2).sum(0).numpy()
        found = np.array([(energy * row).sum(), (energy * column).sum()]) / energy.sum()
        assert np.hypot(*(found - mouse.truth()["rf_center_px"][neuron])) < 5


def test_it_does_not_foresee(mouse: OtherMouse) -> None:
    movie = dead_leaves(Seed(6), frames=60)
    changed = movie.clone()
    changed[40:] = 0.5
    behavior = resting_behavior(60)
    before, after = (mouse.rate(m, behavior) for m in (movie, changed))
    # Up to four frames early: the line that is drawn from the last look to the next.
    torch.testing.assert_close(before[:36], after[:36], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(before[45:], after[45:], atol=1e-3)


def test_a_seed_is_a_mouse(mouse: OtherMouse) -> None:
    again = OtherMouse.draw(neurons=60, seed=Seed(1))
    movie, behavior = dead_leaves(Seed(2), frames=20), resting_behavior(20)
    assert torch.equal(mouse.respond(movie, behavior, Seed(0)), again.respond(movie, behavior, Seed(0)))
    assert "60 neurons" in repr(mouse)


def test_what_does_not_fit_is_refused(mouse: OtherMouse) -> None:
    with pytest.raises(WrongUse, match="36x64"):
        mouse.rate(torch.zeros(5, 20, 20), resting_behavior(5))
    with pytest.raises(WrongUse, match="this mouse needs"):
        OtherMouse.draw(neurons=0, seed=Seed(0))
