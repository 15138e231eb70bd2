"""What a report shows: nouns only. Every text is plain text; it is escaped when the page is written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding, Verdict
from cinecortex.metrics import Interval
from cinecortex.tensors import Movie

Share = Float[Tensor, "frame row column"]
"""Of the size of a movie; its axes are named apart, so that another size is refused in words."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One movie of the player.

    Attributes:
        title: What it is, such as ``true movie`` or ``reconstruction (map)``.
        movie: Luminance 0..1, ``time height width``; shown as it is (clipped to 0..1, never matched in contrast unless
            the reader asks for it).
        note: One line under the title, or nothing.
        share: Data share 0..1 of every pixel, ``time height width``: the movie is then faded to mid gray where it is
            low (`cinecortex.report.encoding.fade`). None shows the movie as it is.
        top: The value drawn as white, above 0; the scale is written under the panel unless it is 1.
        true_movie: Whether this is what was on the screen. A reader can have the contrast of the others matched to it.

    Raises:
        WrongUse: a pixel is NaN, ``share`` has another size than ``movie`` or leaves 0..1, or ``top`` is not above 0.
    """

    title: str
    movie: Movie
    note: str = ""
    share: Share | None = None
    top: float = 1.0
    true_movie: bool = False

    def __post_init__(self) -> None:
        if bool(self.movie.isnan().any()):
            raise WrongUse(f"panel {self.title!r} has NaN pixels; a page shows whole movies only.")
        if not (math.isfinite(self.top) and self.top > 0):
            raise WrongUse(f"the value drawn as white on panel {self.title!r} is {self.top}; it must be above 0.")
        if self.share is None:
            return
        if self.share.shape != self.movie.shape:
            raise WrongUse(
                f"the data share of panel {self.title!r} has size {tuple(self.share.shape)}, "
                f"but its movie {tuple(self.movie.shape)}."
            )
        if not bool(((self.share >= 0) & (self.share <= 1)).all()):
            raise WrongUse(f"the data share of panel {self.title!r} is not between 0 and 1 everywhere.")


@dataclass(frozen=True, eq=False)
class Raster:
    """Activity of the population, drawn under the movies on their time axis.

    Attributes:
        title: What it is, such as ``population activity``.
        values: Darkness of every frame and row, 0 silent to 255 most active, ``time row``. A row is a neuron, or
            several together; the first is drawn on top.
        note: How rows were chosen, ordered and scaled.
    """

    title: str
    values: UInt8[Tensor, "time row"]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Trace:
    """A number per frame, drawn under the movies on their time axis.

    Attributes:
        title: Whose it is, such as ``map``.
        quantity: What it counts, such as ``frame correlation``; traces of one quantity share one axis.
        values: One per frame, NaN where there is none, ``time``.
    """

    title: str
    quantity: str
    values: Float[Tensor, "time"]


@dataclass(frozen=True, eq=False)
class ClipView:
    """One clip: movies that run on one clock, and what they scored.

    Attributes:
        clip_label: Name in the clip chooser.
        trial_id: The trial that was inverted.
        unseen: Whether neither this clip nor a near copy was among the clips that anything was fitted to.
        panels: The movies, in the order shown, all of one size and length.
        burn_in_frames: Frames at the start that no score counts.
        frame_rate_hz: Frames per second.
        scores: What each method scored on this clip, by name.
        score_name: Which metric ``scores`` are.
        traces: Numbers per frame; those of one quantity share an axis.
        raster: Activity of the population, or None.
        group: What the clip belongs to in the clip chooser, such as the animal and the method, or nothing.

    Raises:
        WrongUse: there is no panel, more than one is the true movie, or panels, traces or raster differ in length or
            size.
    """

    clip_label: str
    trial_id: str
    unseen: bool
    panels: tuple[Panel, ...]
    burn_in_frames: int
    frame_rate_hz: float
    scores: Mapping[str, float] = field(default_factory=dict)
    score_name: str = "movie correlation"
    traces: tuple[Trace, ...] = ()
    raster: Raster | None = None
    group: str = ""

    def __post_init__(self) -> None:
        sizes = {tuple(panel.movie.shape) for panel in self.panels}
        if len(sizes) != 1:
            raise WrongUse(
                f"the panels of clip {self.clip_label!r} have sizes {sorted(sizes)}; on one clock they need one size."
            )
        if sum(panel.true_movie for panel in self.panels) > 1:
            raise WrongUse(f"clip {self.clip_label!r} has several true movies; name one.")
        if any(len(trace.values) != self.frames for trace in self.traces):
            raise WrongUse(f"a trace of clip {self.clip_label!r} has not one value for each of {self.frames} frames.")
        if self.raster is not None and len(self.raster.values) != self.frames:
            raise WrongUse(
                f"the raster of clip {self.clip_label!r} has not one column for each of {self.frames} frames."
            )

    @property
    def frames(self) -> int:
        """Number of frames of every panel."""
        return self.panels[0].movie.shape[0]

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        _, height, width = self.panels[0].movie.shape
        return height, width


@dataclass(frozen=True)
class Headline:
    """The one number of the first screen.

    Attributes:
        label: What it is, of which method, on which clips.
        interval: The number and how sure it is.
    """

    label: str
    interval: Interval


@dataclass(frozen=True)
class ScoreRow:
    """One method in the score table.

    Attributes:
        method: Its name.
        scores: Mean over clips with interval, by metric; a metric that was not computed is absent.
        frame_passes: Mean movie frames per clip that went through the encoder forward and backward, or None.
        seconds: Mean wall-clock time per clip, or None.
        note: What sets it apart, in a few words.
    """

    method: str
    scores: Mapping[str, Interval]
    frame_passes: int | float | None = None
    seconds: int | float | None = None
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption.

    Attributes:
        title: What it shows.
        caption: How to read it.
        svg: Markup from `cinecortex.report.figures`; it is the only text that is not escaped.
    """

    title: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Card:
    """A finding as the page tells it.

    Attributes:
        finding: The answer with its evidence.
        meaning: What it means for a reader, in one sentence.
        figure: The numbers and their null, drawn; or None.
    """

    finding: Finding
    meaning: str = ""
    figure: Figure | None = None


@dataclass(frozen=True)
class Standing:
    """Where a clip stands among those of its group.

    Attributes:
        word: ``best``, ``median`` or ``worst``.
        among: Clips that were ranked.
        measure: By which score of which method.
    """

    word: str
    among: int
    measure: str


@dataclass(frozen=True)
class Verdicts:
    """One question, answered several times.

    Attributes:
        id: Name of the check.
        claim: What ``supported`` would mean.
        findings: One for each column of the table, None where it was not asked.
    """

    id: str
    claim: str
    findings: tuple[Finding | None, ...]


@dataclass(frozen=True)
class VerdictTable:
    """Findings of several validations side by side.

    Attributes:
        columns: Name of each validation.
        rows: One for each question.
    """

    columns: tuple[str, ...]
    rows: tuple[Verdicts, ...]


@dataclass(frozen=True, eq=False)
class Page:
    """Everything on the page.

    Attributes:
        title: Name of the page.
        verdict: What was found, in one or two sentences.
        more: What else was found, folded away under the verdict, or nothing.
        simulated: Whether the recording comes from a simulation; every panel then says so.
        clips: In the order of the clip chooser.
        clip_order: How that order came about, such as ``random, seed 7``.
        headline: The main number.
        recording: Facts about the recording; ``species`` and ``subject`` are shown as unknown when absent.
        encoder: Facts about the encoder.
        scores: The score table, one row per method.
        figures: In the order shown.
        findings: In the order shown; a bare finding is a card without meaning and figure.
        provenance: Versions, seeds, fingerprints, the command to reproduce.
        notes: What a careful reader should know, one sentence or two each.
        scored_pixels: Where scores are counted; outlined on every panel, ``height width``.
        downloads: Texts to take along, by file name, such as ``findings.json``; embedded in the page.
        consent: Statement of consent and ethics approval, as given where the subject is human, or nothing.
        verdicts: Where several validations are compared, their findings side by side, or None.
        verdict_word: The verdict in one word, shown with its shape and color before the sentence, or None.

    Raises:
        WrongUse: ``scored_pixels`` has not the size of the frames of every clip.
    """

    title: str
    verdict: str
    simulated: bool
    more: str = ""
    clips: tuple[ClipView, ...] = ()
    clip_order: str = "as given"
    headline: Headline | None = None
    recording: Mapping[str, str] = field(default_factory=dict)
    encoder: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[ScoreRow, ...] = ()
    figures: tuple[Figure, ...] = ()
    findings: tuple[Card | Finding, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    scored_pixels: Bool[Tensor, "height width"] | None = None
    downloads: Mapping[str, str] = field(default_factory=dict)
    consent: str = ""
    verdict_word: Verdict | None = None
    verdicts: VerdictTable | None = None

    def __post_init__(self) -> None:
        if self.scored_pixels is None:
            return
        size = tuple(self.scored_pixels.shape)
        for clip in self.clips:
            if clip.frame_size != size:
                raise WrongUse(f"scored_pixels is {size} but frames of clip {clip.clip_label!r} are {clip.frame_size}.")

    @property
    def cards(self) -> tuple[Card, ...]:
        """The findings as cards."""
        return tuple(finding if isinstance(finding, Card) else Card(finding) for finding in self.findings)

    @property
    def standings(self) -> tuple[Standing | None, ...]:
        """Best, median and worst clip of every group; None for the other clips.

        Judged by the score of the first method of the page (where that was not run on a clip, by the clip's first).
        Clips without a score do not count; of an even number the lower of the two in the middle is the median; of two
        neither is. A single clip has no standing.
        """
        found: list[Standing | None] = [None] * len(self.clips)
        for group in {clip.group for clip in self.clips}:
            members = [(self._first_score(clip)[1], i) for i, clip in enumerate(self.clips) if clip.group == group]
            ranked = [i for score, i in sorted((score, i) for score, i in members if not math.isnan(score))]
            places = {0: "worst", (len(ranked) - 1) // 2: "median"} if len(ranked) > 2 else {0: "worst"}
            if len(ranked) > 1:
                for place, word in (places | {len(ranked) - 1: "best"}).items():
                    clip = self.clips[ranked[place]]
                    measure = f"{clip.score_name} of {self._first_score(clip)[0]}"
                    found[ranked[place]] = Standing(word, len(ranked), measure)
        return tuple(found)

    def _first_score(self, clip: ClipView) -> tuple[str, float]:
        first = self.scores[0].method if self.scores else ""
        return (first, clip.scores[first]) if first in clip.scores else next(iter(clip.scores.items()), ("", math.nan))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Columns of the score table, in order of first appearance."""
        return tuple(dict.fromkeys(metric for row in self.scores for metric in row.scores))

    @property
    def levels(self) -> tuple[float, ...]:
        """Coverages of the intervals in the score table; one, unless somebody mixed them."""
        return tuple(sorted({score.level for row in self.scores for score in row.scores.values()}))

    @property
    def seen_clips(self) -> tuple[str, ...]:
        """Labels of the clips that something was fitted to."""
        return tuple(clip.clip_label for clip in self.clips if not clip.unseen)
