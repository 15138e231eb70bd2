"""The page that a benchmark leaves in docs/results/: machine and command, tables, remarks."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from cinecortex.metrics.bootstrap import Interval

MEANS = "Means over clips, 95 % bootstrap intervals."


def machine(command: str, about: str = MEANS) -> list[str]:
    """Hardware, versions, what the numbers are, and the command."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator"
    return [
        f"Machine: {platform.machine()}, {torch.get_num_threads()} threads, {device}; "
        f"Python {platform.python_version()}, torch {torch.__version__}. {about}",
        "",
        f"Command: `{command}`",
    ]


def shown(interval: Interval) -> str:
    """Value and interval."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *("| " + " | ".join(r) + " |" for r in rows)]


def remarks(sentences: Sequence[str]) -> list[str]:
    """Lines of a list."""
    return ["", *(f"- {sentence}" for sentence in sentences)]


def publish(out: Path, title: str, lines: Sequence[str], *, command: str, about: str = MEANS) -> None:
    """Write the page, and print it.

    Args:
        out: File to write.
        title: Its heading.
        lines: What stands below machine and command.
        command: How to make the page again.
        about: What the numbers are.
    """
    text = "\n".join([f"# {title}", "", *machine(command, about), "", *lines, ""])
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    unfinished.write_text(text)
    unfinished.replace(out)
    print(text)
