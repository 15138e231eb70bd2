"""What is drawn of which finding: where its numbers are, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cinecortex.finding import Finding

CORRELATION = "movie correlation"


@dataclass(frozen=True)
class Columns:
    """Every clip a point in several columns, joined by a line where the columns are of the same clips.

    Attributes:
        series: Name of each column and where its numbers are in the finding's ``data``, words joined by ``/``.
        measure: Name of the vertical axis.
    """

    series: tuple[tuple[str, str], ...]
    measure: str = CORRELATION


@dataclass(frozen=True)
class Groups:
    """Every clip a point in the column of its group.

    Attributes:
        by: Where the group of each clip is in ``data``.
        series: Name and place of what is drawn; several are drawn side by side.
        measure: Name of the vertical axis.
    """

    by: str
    series: tuple[tuple[str, str], ...]
    measure: str = CORRELATION


@dataclass(frozen=True)
class Curves:
    """A dose and the response to it, a thin line for every clip and a strong one for their mean.

    Attributes:
        dose: Where the doses are in ``data``: one list, or one for each clip.
        series: Name and place of each curve: one value per dose, or one list of these for each clip.
        over: Name of the horizontal axis.
        measure: Name of the vertical axis.
        expected: Name and place of a curve that is drawn dashed: what is predicted, or chance.
        doubling: Whether doses are drawn by their logarithm.
        diagonal: Whether a perfect answer lies on the diagonal.
    """

    dose: str
    series: tuple[tuple[str, str], ...]
    over: str
    measure: str = CORRELATION
    expected: tuple[str, str] | None = None
    doubling: bool = False
    diagonal: bool = False


@dataclass(frozen=True)
class Records:
    """Every movie that was shown a point in the column of its kind; several series side by side.

    Attributes:
        records: Where the list of records is in ``data``.
        by: The word of a record that names its column.
        split: The word that names its series.
        value: The word of what is drawn.
        measure: Name of the vertical axis.
    """

    records: str
    by: str
    split: str
    value: str
    measure: str = CORRELATION

    @property
    def series(self) -> tuple[tuple[str, str], ...]:
        """Where all of it is."""
        return ((self.records, self.records),)


Drawn = Columns | Groups | Curves | Records


def _against(control: str) -> Columns:
    return Columns((("as recorded", "intact"), (control, "control")))


_PREDICTED = "correlation with the responses"
DRAWN: Mapping[str, Drawn] = {
    "controls.no_neurons": _against("no neuron heard"),
    "controls.neurons_shuffled": _against("neurons shuffled"),
    "controls.time_shifted": Columns(
        (
            ("as recorded", "intact"),
            ("shifted, movie as shown", "control"),
            ("shifted, movie shifted alike", "against the movie shifted alike"),
        )
    ),
    "controls.trials_swapped": Columns(
        (
            ("clip of the responses", "against the clip of the responses"),
            ("clip of the trial", "against the clip of the trial"),
        )
    ),
    "controls.phase_randomised": _against("surrogate activity"),
    "controls.behavior_only": Columns(
        (
            ("as recorded", "arms/no neurons/intact"),
            ("no neurons", "arms/no neurons/control"),
            ("another trial's behavior", "arms/another trial's behavior/control"),
            ("responses as behavior tells", "arms/responses as behavior predicts them/control"),
        )
    ),
    "identification": Curves(
        "set size",
        (("identified", "identified by set size"),),
        "clips to choose from",
        "share identified",
        expected=("chance", "chance by set size"),
    ),
    "heldout.neurons": Columns(
        tuple(
            (name, f"response correlation/{name}")
            for name in ("true movie", "reconstruction", "shuffled", "prior only")
        ),
        _PREDICTED,
    ),
    "heldout.encoder": Columns(
        tuple((name, f"response correlation/{name}") for name in ("true movie", "reconstruction", "prior only")),
        _PREDICTED,
    ),
    "heldout.repeats": Columns(
        (("with each other", "agreement"), ("with the movie", "truth"), ("with other clips", "between clips"))
    ),
    "generalisation.clips": Groups("group", (("reconstruction", "intact"), ("no neurons", "prior only"))),
    "generalisation.families": Groups("family", (("own movie", "own movie"),)),
    "perturbation.scramble": Curves(
        "blocks",
        (("movie in the new order", "activity, new order"), ("movie as shown", "activity, old order")),
        "frames in a block",
        expected=("what a perfect answer would have in common with the movie as shown", "alike"),
        doubling=True,
    ),
    "perturbation.contrast": Curves(
        "contrast shown",
        (("reconstruction", "contrast reconstructed"),),
        "contrast shown",
        "contrast reconstructed",
        diagonal=True,
    ),
    "perturbation.polarity": Columns(
        (("clip", "as it was"), ("inverse", "inverted"), ("the two answers alike", "the two alike"))
    ),
    "perturbation.luminance": Curves(
        "luminance shown",
        (("reconstruction", "luminance reconstructed"),),
        "luminance shown",
        "luminance reconstructed",
        diagonal=True,
    ),
    "perturbation.reversal": Columns((("activity reversed", "activity"), ("movie reversed", "shown"))),
    "perturbation.noise": Curves("share", (("reconstruction", "score"),), "share of the activity that is noise"),
    "perturbation.semantics": Columns(
        (("clip", "as it was"), ("phases scrambled", "phases scrambled"), ("patches shuffled", "patches shuffled"))
    ),
    "baselines": Columns(
        (("judged", "judged"), *((name, f"arms/{name}/baseline") for name in ("ridge", "nearest", "mean")))
    ),
    "prior.sensitivity": Columns(
        tuple(
            (name, f"agreement by prior/map, {name}")
            for name in ("power-law prior", "smooth prior", "prior weighed a quarter", "prior weighed four times")
        ),
        "correlation with its own answer",
    ),
    "identifiability.information": Columns(
        (
            ("picture", "share of the picture"),
            ("inside the mask, with luminance", "share inside the mask, with luminance"),
            ("whole screen, with luminance", "share of the screen, with luminance"),
        ),
        "data share",
    ),
    "identifiability.data_share": Columns(
        (
            ("little data share", "taken away below the least share"),
            ("more data share", "taken away above the least share"),
        ),
        "part of the error taken away",
    ),
    "identifiability.metamers": Columns(
        (("metamer and what it is like", "metamer"), ("metamer and other clips", "other clips"))
    ),
    "resolution.limits": Records("cells", "scale", "animal", "correlation"),
    "error.budget": Columns(
        tuple((part, f"parts/{part}") for part in ("prior", "noise", "encoder", "inverter", "remainder", "total")),
        "of the prior's own error",
    ),
    "population.scaling": Curves(
        "share",
        (("reconstruction", "score"),),
        "share of the neurons heard",
        expected=("published", "published"),
        doubling=True,
    ),
    "uncertainty.calibrated": Curves(
        "nominal",
        (("clips", "coverage curve by clip"),),
        "stated coverage",
        "pixels inside",
        diagonal=True,
    ),
}
"""What is drawn of which finding; of any other only the evidence."""


def found_at(finding: Finding, place: str) -> Any:
    """What lies at a place of the data, or None."""
    content: Any = finding.data
    for word in place.split("/"):
        if not isinstance(content, Mapping) or word not in content:
            return None
        content = content[word]
    return content
