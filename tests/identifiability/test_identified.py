"""`Identified`: the answer of `MAP`, with what was measured around a draw that has the right contrast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.identifiability.closed_forms import SMALL, ClosedForm, world
from tests.worlds import LinearWorld

from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.errors import WrongUse
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.measure import measure_information
from cinecortex.inversion.likelihoods import Poisson
from cinecortex.inversion.linearised import Linearised
from cinecortex.inversion.map import MAP
from cinecortex.inversion.priors import Flat
from cinecortex.inversion.sensitivity import muted
from cinecortex.reconstruction import Inverter
from cinecortex.seeds import Seed


def settings(made: LinearWorld) -> dict:
    mask = torch.ones(made.observation.frame_size, dtype=torch.float64)
    return {"encoder": made.encoder, "likelihood": made.likelihood, "prior": made.prior, "mask": mask}


def test_the_movie_is_that_of_map_and_what_is_measured_that_of_the_closed_form():
    made, seed = world(SMALL), Seed(1)
    inverter = Identified(**settings(made), draws=32)
    assert isinstance(inverter, Inverter)
    assert inverter.name == "information"
    answer = inverter(made.observation, seed)
    plain = MAP(**settings(made))(made.observation, seed)
    torch.testing.assert_close(answer.movie, plain.movie)
    assert answer.energy == plain.energy
    assert answer.frame_passes > plain.frame_passes
    exact = ClosedForm.of(made)
    assert answer.information is not None
    assert abs(answer.information.bits - exact.bits) < 4 * answer.information.bits_error
    assert answer.std is not None
    assert answer.data_share is not None
    ratio = answer.std.numpy() / np.sqrt(exact.prior - exact.taken)
    assert abs(ratio.mean() - 1) < 0.05
    assert abs(float(answer.data_share.mean()) - exact.share.mean()) < 0.08
    assert "around a posterior draw" in answer.ended
    assert f"{answer.information.bits:.0f} bits +- {answer.information.bits_error:.0f}" in answer.ended
    again = inverter(made.observation, seed)
    assert torch.equal(again.data_share, answer.data_share)
    assert again.information == answer.information


def test_a_population_that_is_not_heard_has_exactly_nothing_in_it():
    made = world(SMALL)
    answer = Identified(**settings(made))(muted(made.observation), Seed(2))
    assert answer.information is not None
    assert (answer.information.bits, answer.information.dimensions, answer.information.share) == (0, 0, 0)
    assert answer.data_share is not None
    assert (answer.data_share == 0).all()
    np.testing.assert_allclose(answer.std.numpy() ** 2, ClosedForm.of(made).prior)


def test_of_an_ensemble_the_mean_rate_is_measured():
    made = world(SMALL)
    doubled = settings(made) | {"encoder": Ensemble([made.encoder, made.encoder])}
    one, two = (Identified(**given)(made.observation, Seed(3)) for given in (settings(made), doubled))
    assert two.information.bits == pytest.approx(one.information.bits, rel=1e-6)


def test_around_a_draw_information_is_nearer_to_that_around_the_truth_than_around_the_map():
    """Poisson neurons that fire the more the more contrast there is: the most probable movie makes them too precise."""
    ratios = {"map": [], "draw": []}
    for number in range(5):
        seed = Seed(40) / number
        random = seed.numpy()
        linear = LinearWorld.make(seed, frames=16, size=(6, 6), neurons=40)
        # Pairs of opposite filters, as of ON and OFF cells: their rates rise with contrast and not with luminance.
        half = torch.from_numpy(4 * random.standard_normal((20, 3, 6, 6)))
        offset = torch.zeros(40, dtype=torch.float64)
        encoder = LinearNonlinear(torch.cat([half, -half]), offset, nonlinearity="softplus")
        truth = linear.prior.movie(torch.from_numpy(random.standard_normal((16, 6, 6))))
        rate = encoder(truth[None], torch.zeros(1, 16, 0, dtype=torch.float64))[0].detach()
        response = torch.from_numpy(random.poisson(rate.numpy()).astype(float))
        observation = replace(linear.observation, response=response, heard=torch.ones(40, dtype=torch.bool))
        given = {
            "encoder": encoder,
            "likelihood": Poisson(torch.full((40,), 0.1, dtype=torch.float64)),
            "prior": linear.prior,
        }
        inverter = Identified(**given, mask=torch.ones(6, 6, dtype=torch.float64))
        best = MAP(**given).most_probable(observation, seed).position
        white = linear.prior.whiten(truth - linear.prior.statistics.mean) / linear.prior.amplitude(best) ** 2
        at = {
            "truth": Linearised(*given.values(), observation, white),
            "map": Linearised(*given.values(), observation, best),
            "draw": inverter.around_a_draw(observation, seed),
        }
        bits = {name: measure_information(one, steps=12, seed=Seed(4)).bits for name, one in at.items()}
        for name in ratios:
            ratios[name].append(np.log(bits[name] / bits["truth"]))
    off = {name: np.sqrt(np.square(each).mean()) for name, each in ratios.items()}
    assert np.mean(ratios["map"]) > 0.05, "the trap is there to be fallen into"
    assert off["draw"] < 0.7 * off["map"]
    assert abs(np.mean(ratios["draw"])) < 4 * np.std(ratios["draw"]) / np.sqrt(5) + 0.05


def test_another_prior_than_the_spectral_one_is_refused():
    made = world(SMALL)
    with pytest.raises(WrongUse, match="spectral prior only"):
        Identified(**settings(made) | {"prior": Flat()})
