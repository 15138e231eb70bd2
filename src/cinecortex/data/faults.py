"""One fault of one file, as an error and as an entry in a list of problems."""

from __future__ import annotations

from pathlib import Path

from cinecortex.errors import BadData
from cinecortex.recording import Problem


class Fault(BadData):
    """A file that cannot be what it claims to be.

    The same fault is raised where it stops the work and listed where all problems are listed.

    Args:
        where: The file.
        what: What is wrong: a clause whose subject is the file (``is empty``).
        remedy: What to do: a clause in the imperative (``export it again``).
    """

    def __init__(self, where: Path | str, what: str, remedy: str) -> None:
        self.problem = problem(where, what, remedy)
        super().__init__(f"{where} {what}; {remedy}.")


def problem(where: Path | str, what: str, remedy: str) -> Problem:
    """The clauses of a ``Fault`` as an entry for a list."""
    return Problem(str(where), f"{what[0].upper()}{what[1:]}.", f"{remedy[0].upper()}{remedy[1:]}.")
