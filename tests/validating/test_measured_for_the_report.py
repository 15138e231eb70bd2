"""Of how many clips a report shows how much is data."""

from __future__ import annotations

import pytest

from cinecortex.validating.run import CLIPS, Options, _measured


@pytest.mark.parametrize(
    ("options", "clips"),
    [
        ({}, 1),
        ({"quick": True}, 0),
        ({"checks": ("identification",)}, 0),
        ({"deep": True}, CLIPS),
        ({"deep": True, "clips": 4}, 4),
        ({"quick": True, "measured": 2}, 2),
    ],
)
def test_one_of_the_suite_all_of_the_deep_one_and_none_in_haste(options, clips):
    assert _measured(Options(**options)) == clips
