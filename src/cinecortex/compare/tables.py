"""What a comparison says: as JSON, and as tables for reading and for a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cinecortex.metrics.bootstrap import Interval, bootstrap_mean, paired_difference
from cinecortex.metrics.movies import BURN_IN, THRESHOLDS
from cinecortex.seeds import Seed
from cinecortex.study import MethodScores, plain

SCHEMA = "cinecortex.compare/1"
MAIN = "movie correlation"
METRICS = (MAIN, "frame correlation", "structural similarity", "motion energy correlation")
TITLES = {"structural similarity": "SSIM", "motion energy correlation": "motion energy"}
MEGABYTE = 1e6


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one method came to.

    Attributes:
        method: Its name.
        scores: Scores over clips; None if the method failed.
        failed: One sentence, or None.
        reused: How many of the reconstructions were there already.
        ended: How the computation ended, by trial id.
        cost: Seconds to fit the method, and bytes of memory: see `job.run_job`.
    """

    method: str
    scores: MethodScores | None = None
    failed: str | None = None
    reused: int = 0
    ended: Mapping[str, str] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods on the same trials.

    Attributes:
        facts: Recording, encoder, seed, versions, machine and command.
        trials: Ids of the trials.
        unseen: Those whose clip was neither fitted to nor selected on.
        mask: How many pixels count, and of how many.
        outcomes: In the order asked for; differences are to the first.
    """

    facts: Mapping[str, Any]
    trials: Sequence[str]
    unseen: Sequence[str]
    mask: tuple[int, int]
    outcomes: Sequence[Outcome]

    def difference(self, outcome: Outcome, metric: str) -> Interval | None:
        """The first method minus this one, paired by clip; None for the first itself and where either failed."""
        first = self.outcomes[0]
        if outcome is first or first.scores is None or outcome.scores is None:
            return None
        pairs = first.scores.values(metric), outcome.scores.values(metric)
        return paired_difference(*pairs, seed=Seed(0) / "paired")

    @property
    def seen_note(self) -> str:
        """How many of the clips are unseen, in words."""
        seen = len(self.trials) - len(self.unseen)
        if not seen:
            return f"None of the {len(self.trials)} clips was fitted to or selected on."
        return f"{seen} of {len(self.trials)} clips WERE fitted to or selected on; {len(self.unseen)} are unseen."

    @property
    def floor_note(self) -> str:
        """What the peak memory includes, in words."""
        floors = [outcome.cost["floor_bytes"] for outcome in self.outcomes if outcome.cost]
        least = f", {min(floors) / MEGABYTE:,.0f} MB of it before anything was loaded" if floors else ""
        return f"Peak memory is that of a process of its own for each method, Python and torch included{least}."

    def header(self) -> list[str]:
        """Names of the columns of `rows`."""
        first = self.outcomes[0].method
        metrics = [TITLES.get(metric, metric) for metric in METRICS[1:]]
        costs = ["frame-passes", "seconds", "seconds to fit", "peak memory, MB"]
        return ["method", MAIN, f"{first} minus it, paired", *metrics, *costs]

    def rows(self) -> list[list[str]]:
        """One row for each method; of one that failed, its sentence."""
        rows = []
        for outcome in self.outcomes:
            scores = outcome.scores
            if scores is None:
                rows.append([outcome.method, f"failed: {outcome.failed}", *[""] * (len(self.header()) - 2)])
                continue
            difference = self.difference(outcome, MAIN)
            rows.append(
                [
                    outcome.method,
                    str(scores.interval(MAIN)),
                    "" if difference is None else str(difference),
                    *(str(scores.interval(metric)) for metric in METRICS[1:]),
                    f"{scores.frame_passes:,.0f}",
                    f"{scores.seconds:.2f}",
                    f"{outcome.cost['fitting_seconds']:.1f}",
                    f"{outcome.cost['peak_bytes'] / MEGABYTE:,.0f}",
                ]
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything, with None for what is not a number."""
        content: dict[str, Any] = plain(
            {
                "schema": SCHEMA,
                **self.facts,
                "trials": list(self.trials),
                "unseen": list(self.unseen),
                "mask": {"pixels": self.mask[0], "of": self.mask[1]},
                "methods": [self._method_json(outcome) for outcome in self.outcomes],
            }
        )
        return content

    def _method_json(self, outcome: Outcome) -> dict[str, Any]:
        scores = outcome.scores
        if scores is None:
            return {"method": outcome.method, "failed": outcome.failed}
        differences = {metric: self.difference(outcome, metric) for metric in scores.metrics}
        return {
            **scores.to_json(),
            "method": outcome.method,
            "failed": None,
            "over_masks": {f"{name:g}": asdict(interval) for name, interval in over_masks(scores).items()},
            "first_minus_this": {name: asdict(found) for name, found in differences.items() if found is not None},
            "ended": dict(outcome.ended),
            "reused": outcome.reused,
            **outcome.cost,
        }

    def to_markdown(self) -> str:
        """A page: the table, the scores over all mask thresholds, and where they come from."""
        scored = [outcome for outcome in self.outcomes if outcome.scores is not None]
        wide = [
            [outcome.method, *(str(interval) for interval in over_masks(outcome.scores).values())]
            for outcome in scored
            if outcome.scores is not None
        ]
        facts = [f"{name}: {value}." for name, value in self.facts.items()]
        lines = [
            "# Methods on the same trials",
            "",
            f"Means over {len(self.trials)} clips with 95 % bootstrap intervals. Scores count the pixels whose mask "
            f"weight is 0.5 or more ({self.mask[0]} of {self.mask[1]}), after the first {BURN_IN} frames (of short "
            "clips, after half). Frame-passes and seconds are those of one clip.",
            "",
            *markdown(self.header(), self.rows()),
            "",
            "Movie correlation where the mask weight is at least:",
            "",
            *markdown(["method", *(f"{threshold:g}" for threshold in THRESHOLDS)], wide),
            "",
            *(f"- {line}" for line in (self.seen_note, self.floor_note, *facts)),
            "",
        ]
        return "\n".join(lines)

    def to_csv(self) -> str:
        """The table with a column for each number; an interval has three."""
        file = io.StringIO()
        first = self.outcomes[0].method
        named = [MAIN, f"{first} minus it", *METRICS[1:]]
        costs = ["frame_passes", "seconds", "fitting_seconds", "peak_bytes", "accelerator_bytes"]
        ends = [f"{name}{end}".replace(" ", "_") for name in named for end in ("", " low", " high")]
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "clips", *ends, *costs, "failed"])
        for outcome in self.outcomes:
            writer.writerow([outcome.method, *self._numbers(outcome), outcome.failed or ""])
        return file.getvalue()

    def _numbers(self, outcome: Outcome) -> list[str]:
        scores = outcome.scores
        if scores is None:
            return [""] * (1 + 3 * (1 + len(METRICS)) + 5)
        intervals = [scores.interval(MAIN), self.difference(outcome, MAIN), *(scores.interval(m) for m in METRICS[1:])]
        values: list[float] = []
        for found in intervals:
            values += [math.nan] * 3 if found is None else [found.value, found.low, found.high]
        values += [scores.frame_passes, scores.seconds]
        values += [outcome.cost[name] for name in ("fitting_seconds", "peak_bytes", "accelerator_bytes")]
        return [str(len(scores.clips)), *("" if math.isnan(value) else repr(value) for value in values)]


def over_masks(scores: MethodScores) -> dict[float, Interval]:
    """Movie correlation over clips at each mask threshold."""
    columns = zip(*(clip.over_masks for clip in scores.clips), strict=True)
    seed = Seed(0) / "bootstrap"
    return {name: bootstrap_mean(values, seed=seed) for name, values in zip(THRESHOLDS, columns, strict=True)}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
