"""The page that a benchmark leaves in docs/results/: machine and command, tables, remarks."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from cinecortex.metrics.bootstrap import Interval

RETINA = "../shared/data/retina_white_noise.npz"
"""The real recording, as the commands on pages name it."""
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


def command_of(script: str, parser: argparse.ArgumentParser, options: argparse.Namespace, **turned_out: object) -> str:
    """The command that makes a page again: the script with every option that is not at its default.

    Where files lie changes no number and is left out.

    Args:
        script: Name of the script; with the path of a recording behind it, where the page rests on that.
        parser: Knows the defaults.
        options: Of this run.
        turned_out: Options that are known better by now, such as how many clips were done.
    """
    words = [f"python benchmarks/{script}"]
    for name, value in {**vars(options), **turned_out}.items():
        if isinstance(value, Path) or value == parser.get_default(name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += [str(part) for part in (value if isinstance(value, list) else [value])]
    return " ".join(words)


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
