"""What a report shows: nouns only. Every text is plain text; it is escaped when the page is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from cinecortex.errors import WrongUse
from cinecortex.finding import Finding
from cinecortex.metrics import Interval
from cinecortex.tensors import Movie


@dataclass(frozen=True, eq=False)
class Panel:
    """One movie of the player.

    Attributes:
        title: What it is, such as ``true movie`` or ``reconstruction (map)``.
        movie: Luminance 0..1, ``time height width``; shown as it is (clipped to 0..1, never matched in contrast).
        note: One line under the title, or nothing.
    """

    title: str
    movie: Movie
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
        traces: Numbers per frame.

    Raises:
        WrongUse: there is no panel, panels or traces differ in size, or a pixel is NaN.
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

    def __post_init__(self) -> None:
        sizes = {tuple(panel.movie.shape) for panel in self.panels}
        if len(sizes) != 1:
            raise WrongUse(
                f"the panels of clip {self.clip_label!r} have sizes {sorted(sizes)}; on one clock they need one size."
            )
        if any(bool(panel.movie.isnan().any()) for panel in self.panels):
            raise WrongUse(f"a panel of clip {self.clip_label!r} has NaN pixels; a page shows whole movies only.")
        if any(len(trace.values) != self.frames for trace in self.traces):
            raise WrongUse(f"a trace of clip {self.clip_label!r} has not one value for each of {self.frames} frames.")

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


@dataclass(frozen=True, eq=False)
class Page:
    """Everything on the page.

    Attributes:
        title: Name of the page.
        verdict: What was found, in one or two sentences.
        simulated: Whether the recording comes from a simulation; every panel then says so.
        clips: In the order of the clip chooser.
        clip_order: How that order came about, such as ``random, seed 7``.
        headline: The main number.
        recording: Facts about the recording; ``species`` and ``subject`` are shown as unknown when absent.
        encoder: Facts about the encoder.
        scores: The score table, one row per method.
        figures: In the order shown.
        findings: In the order shown.
        provenance: Versions, seeds, fingerprints, the command to reproduce.
        notes: What a careful reader should know, one sentence or two each.
        scored_pixels: Where scores are counted; outlined on every panel, ``height width``.
    """

    title: str
    verdict: str
    simulated: bool
    clips: tuple[ClipView, ...] = ()
    clip_order: str = "as given"
    headline: Headline | None = None
    recording: Mapping[str, str] = field(default_factory=dict)
    encoder: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[ScoreRow, ...] = ()
    figures: tuple[Figure, ...] = ()
    findings: tuple[Finding, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    scored_pixels: Bool[Tensor, "height width"] | None = None

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
