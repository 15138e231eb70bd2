"""The command line. Each function in the modules here is a command; what it does is elsewhere."""

from __future__ import annotations

import os

# Before torch is loaded: threads that spin while they wait slow everything down on a machine with few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import sys
import traceback

# Commands join the program as their module is imported; this is the order of the help.
from cinecortex.cli import recordings  # isort: skip
from cinecortex.cli import fitting  # isort: skip
from cinecortex.cli import inverting  # isort: skip
from cinecortex.cli import validating  # isort: skip
from cinecortex.cli import running  # isort: skip
from cinecortex.cli import reporting  # isort: skip
from cinecortex.cli import exporting  # isort: skip
from cinecortex.cli.app import app
from cinecortex.terminal import INTERRUPTED, fail, sentence_of

__all__ = ["app", "exporting", "fitting", "inverting", "main", "recordings", "reporting", "running", "validating"]


def main() -> None:
    """Run a command; turn every expected error into one sentence and an exit code."""
    # --debug is welcome before and after the command.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(arguments or ["--help"], prog_name="cinecortex", standalone_mode=False)
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        fail(*sentence_of(error))
    if code == INTERRUPTED:
        fail("stopped by the keyboard; finished work was kept.", code)
    sys.exit(code)
