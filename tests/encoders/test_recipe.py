from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.encoders.gabor_cells import trial_of
from tests.encoders.small_training import NETWORK, RECIPE, SIZE

from cinecortex.encoders.recipe import DwiseNeuro, Recipe
from cinecortex.seeds import Seed


def test_the_published_recipe_is_the_default():
    recipe = Recipe()
    assert (recipe.epochs, recipe.warmup_epochs, recipe.batch_size) == (21, 3, 32)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.ema_decay) == (2.4e-3, 0.05, 0.999)
    assert (recipe.cutmix_alpha, recipe.cutmix_probability) == (1.0, 0.5)
    assert (recipe.window_frames, recipe.frame_step, recipe.span) == (16, 2, 31)
    assert recipe.steps_per_epoch == 2250


def test_the_learning_rate_rises_falls_along_a_cosine_and_ends_at_one_percent():
    recipe = Recipe(epochs=10, warmup_epochs=2, samples_per_epoch=400, batch_size=4, learning_rate=1.0)
    rates = [recipe.learning_rate_at(step) for step in range(1000)]
    assert rates[:200] == pytest.approx([(step + 1) / 200 for step in range(200)])
    assert rates[200] == pytest.approx(1.0)
    assert rates[600] == pytest.approx(0.01 + 0.99 / 2)
    assert rates[800] == pytest.approx(0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 0.75)))
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)


def test_the_average_follows_fast_at_first_and_then_as_published():
    recipe = Recipe()
    assert recipe.ema_decay_at(0) == pytest.approx(0.1)
    assert recipe.ema_decay_at(1_000) == pytest.approx(1001 / 1010)
    assert recipe.ema_decay_at(20_000) == 0.999


def trials(neurons: int, scale: float):
    random = torch.Generator().manual_seed(0)
    made = []
    for number in range(3):
        response = scale * torch.rand(30, neurons, generator=random) * torch.arange(1, neurons + 1)
        made.append(trial_of(torch.zeros(30, *SIZE).numpy(), response.numpy(), str(number)))
    return made


def test_readouts_begin_at_the_mean_response():
    own = [trials(3, 2.0), trials(5, 0.5)]
    network = NETWORK.build(own, Seed(0)).eval()
    with torch.no_grad():
        for index, shown in enumerate(own):
            for parameter in (network.readouts[index].layer[1].weight,):
                parameter.zero_()
            rates = network(torch.randn(1, 5, 4, *SIZE), index)
            mean = torch.cat([trial.response for trial in shown]).mean(0)
            torch.testing.assert_close(rates[0], mean[:, None].expand(-1, 4), rtol=1e-4, atol=1e-4)


def test_weights_are_drawn_by_name_with_the_variance_of_the_outputs():
    wide = replace(NETWORK, core_features=(64, 64), cortex_features=(256,))
    first, second, other = (wide.build([trials(3, 1.0)], Seed(seed)) for seed in (0, 0, 1))
    for (name, a), b, c in zip(first.named_parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        if name.endswith("conv.weight") or ".0.weight" in name:
            assert not torch.equal(a, c)
    assert float(first.cortex.layers[0].conv.weight.detach().std()) == pytest.approx(math.sqrt(2 / 128), rel=0.05)
    depthwise = first.core.blocks[1].spat_covn_dw[0].weight.detach()
    assert float(depthwise.std()) == pytest.approx(math.sqrt(2 / 9), rel=0.1)


def test_the_sharpness_is_the_published_one_for_responses_of_the_published_size():
    published = DwiseNeuro(core_features=(8,), spatial_strides=(1,), cortex_features=(8,))
    for scale, expected in ((10.0, 0.07), (100.0, 0.07), (0.1, None)):
        own = trials(3, scale)
        typical = float(torch.cat([trial.response for trial in own]).std(0).median())
        beta = published.build([own], Seed(0)).settings["softplus_beta"]
        assert beta == pytest.approx(expected if expected is not None else 1 / typical)
    fixed = replace(published, softplus_beta=0.5)
    assert fixed.build([trials(3, 0.1)], Seed(0)).settings["softplus_beta"] == 0.5


def test_width_scales_every_layer():
    settings = DwiseNeuro(width=0.25).build([trials(3, 1.0)], Seed(0)).settings
    assert settings["core_features"] == [16, 16, 16, 16, 32, 32, 32, 64, 64]
    assert settings["cortex_features"] == [256, 512, 1024]
    tiny = DwiseNeuro(width=0.01).build([trials(3, 1.0)], Seed(0)).settings
    assert set(tiny["core_features"]) == {8}
    assert RECIPE.span == 7


def test_the_unit_of_the_responses_does_not_matter():
    """A thousandfold response: the same network in other units, by the sharpness that is chosen for it."""
    small, large = ([trials(3, scale)] for scale in (0.01, 10_000.0))
    architecture = DwiseNeuro(core_features=(8,), spatial_strides=(1,), cortex_features=(16,))
    inputs = torch.randn(2, 5, 4, *SIZE, generator=torch.Generator().manual_seed(1))
    rates = []
    for own in (small, large):
        network = architecture.build(own, Seed(0)).eval()
        with torch.no_grad():
            rates.append(network(inputs, 0) / float(torch.cat([trial.response for trial in own[0]]).std(0).median()))
    torch.testing.assert_close(rates[0], rates[1], rtol=1e-3, atol=1e-3)
