"""Figures of the report: deterministic, well formed, true to their numbers."""

import functools
import re
from xml.etree import ElementTree

import pytest
import torch

from cinecortex.errors import WrongUse
from cinecortex.metrics import Interval
from cinecortex.report import figures


@functools.cache
def every_figure(_time: int = 1) -> dict[str, str]:
    name = "a<b & $x_1$"
    scores = {name: [0.4, 0.5, float("nan")], "paper": [0.1, 0.2, 0.3]}
    means = {name: Interval(0.45, 0.4, 0.5, 0.95, 2), "paper": Interval(0.2, float("nan"), float("nan"), 0.95, 1)}
    mask = torch.linspace(0, 1, 30).reshape(5, 6)
    ceiling = torch.linspace(0, 1, 3001)
    ceiling[5] = torch.nan
    return {
        "clips": figures.scores_by_clip(scores, metric="r", means=means),
        "masks": figures.scores_by_mask([0.0, 0.5, 1.0], scores, metric="r"),
        "ceiling": figures.encoder_against_ceiling(ceiling / 2, ceiling),
        "mask": figures.mask_picture(mask, mask > 0.5),
        "curves": figures.learning_curves({"a": [0.1, 0.3, 0.2], "b": [float("nan"), 0.2]}),
    }


def test_figures_are_deterministic_well_formed_and_their_ids_their_own() -> None:
    first, second = every_figure(), every_figure(2)
    assert first == second
    ids = []
    for svg in first.values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        ids += [e.get("id") for e in root.iter() if e.get("id")]
        assert "<metadata" not in svg
        assert re.search(r"\d{4}-\d\d-\d\d", svg) is None
        ids_here = {e.get("id") for e in root.iter() if e.get("id")}
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) == ids_here
    assert len(ids) == len(set(ids)) > 8


def test_figures_say_names_as_they_are_and_follow_the_page_into_the_dark() -> None:
    svg = every_figure()["clips"]
    texts = ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]
    assert any("$x_1$" in text for text in texts)
    assert "var(--ink, #1d1c1a)" in svg
    assert "var(--series-1, #0072b2)" in svg
    assert not re.search(r"(?<!, )#(1d1c1a|5a5751|dad6cc|0072b2)", svg)
    assert "2,000 of 3,000 neurons" in every_figure()["ceiling"]


def test_a_point_lies_where_its_number_says() -> None:
    svg = figures.scores_by_mask([0.0, 1.0], {"map": [0.0, 1.0]}, metric="r")
    points = re.findall(r'<use xlink:href="#[\w-]+" x="([\d.]+)" y="([\d.]+)" style="fill: var\(--series-1', svg)
    low, high = points[:2]
    assert float(low[0]) < float(high[0])
    assert float(low[1]) > float(high[1])


def test_figures_refuse_what_cannot_be_drawn() -> None:
    with pytest.raises(WrongUse, match="equal numbers of clips"):
        figures.scores_by_clip({"a": [1.0], "b": [1.0, 2.0]}, metric="r")
    with pytest.raises(WrongUse, match="equal numbers of thresholds"):
        figures.scores_by_mask([0.0], {"a": [1.0, 2.0]}, metric="r")
    with pytest.raises(WrongUse, match="no neuron"):
        figures.encoder_against_ceiling(torch.tensor([0.1]), torch.tensor([torch.nan]))
    with pytest.raises(WrongUse, match="no epoch to draw"):
        figures.learning_curves({"a": []})
