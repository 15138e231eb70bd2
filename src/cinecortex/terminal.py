"""What a command says, and how: progress, tables, JSON, and the one sentence of an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cinecortex.errors import CinecortexError

if TYPE_CHECKING:
    from cinecortex.study import MethodScores

Report = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and a message; `study.Progress` without waiting for torch."""

console = Console()
errors = Console(stderr=True)
INTERRUPTED = 130


def sentence_of(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit code."""
    if isinstance(error, CinecortexError):
        return str(error), error.exit_code
    # Typer brings its own copy of click along, or none: its usage errors are known by what they can do.
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "cinecortex"
        return f"{error.format_message().rstrip('.')}; see `{command} --help`.", 2
    what = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {what} (run again with --debug for the traceback).", 1


def fail(sentence: str, code: int) -> NoReturn:
    """Say what is wrong on standard error, and end."""
    errors.print(f"cinecortex: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


@contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on a terminal, plain lines when piped, nothing when the output is JSON."""
    if quiet:
        yield lambda done, total, message: None
    elif console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, TextColumn("{task.fields[message]}"), console=console) as bars:
            task = bars.add_task(title, total=None, message="")
            yield lambda done, total, message: bars.update(task, completed=done, total=total, message=message)
    else:
        tenth = [-1]

        def line(done: int, total: int, message: str) -> None:
            if total <= 40 or done * 10 // total > tenth[0]:
                tenth[0] = done * 10 // total
                say(f"{title}: {done}/{total} {message}")

        yield line


def say(text: str) -> None:
    """A line as it is: nothing in it is taken for markup, and it is not broken to the width of the terminal."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_json(content: Any) -> None:
    """One JSON document; what is not a number is null."""
    from cinecortex.study import plain

    print(json.dumps(plain(content), indent=1, allow_nan=False))


def print_rows(title: str, rows: list[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Not as the table's own title, which would be broken to the table's width.
    say(title)
    _print_table(table)


def print_columns(header: list[str], rows: list[list[str]]) -> None:
    """A table with one line for each row."""
    table = Table(box=None)
    for name in header:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    _print_table(table)


def print_scores(scores: list[MethodScores]) -> None:
    """One row for each method."""
    metrics = scores[0].metrics
    rows = []
    for score in scores:
        cells = [str(score.interval(metric)) for metric in metrics]
        rows.append([score.method, str(len(score.clips)), *cells, f"{score.frame_passes:,.0f}", f"{score.seconds:.1f}"])
    say("mean over clips [95 % interval]")
    print_columns(["method", "clips", *metrics, "frame-passes", "seconds"], rows)


def score_rows(facts: Any) -> list[tuple[str, str]]:
    """The scores that an encoder's facts hold, one row each."""
    rows = []
    for trials, scores in facts["scores"].items():
        for name, value in scores.items():
            text = "unknown" if value is None else (f"{value:.3f}" if isinstance(value, float) else str(value))
            rows.append((f"{trials}: {name.replace('_', ' ')}", text))
    return rows


def summary_rows(summary: Any) -> list[tuple[str, str]]:
    """What a recording holds, one row for each fact."""

    def known(value: float | None, unknown: str) -> str:
        return unknown if value is None else f"{value:.3f}"

    height, width = summary.frame_size
    tiers = ", ".join(f"{count} {tier}" for tier, count in summary.trials.items())
    return [
        ("source", summary.source),
        ("neurons", str(summary.neurons)),
        ("trials", tiers),
        ("clips", f"{summary.clips} distinct, shown up to {summary.repeats} times"),
        ("duration", f"{summary.minutes:.1f} minutes"),
        ("movie", f"{height}x{width} px at {summary.frame_rate_hz:g} Hz"),
        ("response", summary.response_unit),
        ("mean response", known(summary.mean_response, "no responses")),
        ("zeros among responses", known(summary.zero_fraction, "no responses")),
        ("reliability between repeats", known(summary.reliability, "no repeats")),
        ("single-trial noise ceiling", known(summary.noise_ceiling, "no repeats")),
        ("behavior", ", ".join(summary.behavior_channels) or "none"),
        ("species", summary.metadata.get("species", "unknown")),
        ("simulated", "yes" if summary.simulated else "no"),
        ("fingerprint", summary.fingerprint),
    ]


def _print_table(table: Table) -> None:
    # Piped, a row is a line: programs read it.
    Console(width=None if console.is_terminal else 1000).print(table)
