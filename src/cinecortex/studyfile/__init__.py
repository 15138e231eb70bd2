"""A study in one TOML file: everything that decides what comes out, and where it runs.

Paths are relative to the folder that the file is in. Whatever the file does not know stops it: a misspelt setting that
is silently left at its default would be a study that nobody meant.
"""

from cinecortex.studyfile.read import read_study
from cinecortex.studyfile.sections import Study

__all__ = ["Study", "read_study"]
