"""The example of the page on ambiguity runs, and says what it says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.identifiability.linear_world import small

from cinecortex.encoders.base import ObservationModel
from cinecortex.encoders.linear_nonlinear import LinearNonlinear

PAGE = Path(__file__).parents[2] / "docs" / "ambiguity.md"


def test_the_example_runs(capsys):
    world = small()
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    encoder = LinearNonlinear(world.encoder.filters.detach(), world.encoder.offset.detach() + 1)
    ones = world.likelihood.variance * 0 + 1
    encoder.observation_model = ObservationModel(dispersion=0.1 * ones, correlation_time=ones)
    encoder.movie_statistics = world.prior.statistics
    response = encoder(world.truth[None], world.observation.behavior[None])[0].detach()
    known = {
        "encoder": encoder,
        "observation": type(world.observation)(**{**vars(world.observation), "response": response}),
    }
    exec(example, known)
    printed = capsys.readouterr().out
    assert "gray levels from the reconstruction" in printed
    assert "brighter or darker" in printed
    assert known["one"].distance > 0
    assert known["best"].share[0] > known["unseen"].share[0]
