"""Errors that a user can act on: one sentence saying what is wrong, where, and what to do."""

from __future__ import annotations


class CinecortexError(Exception):
    """Base of every expected error; the command line prints its sentence and exits with ``exit_code``."""

    exit_code = 1


class WrongUse(CinecortexError):
    """The command or function was called with arguments that do not fit together."""

    exit_code = 2


class BadData(CinecortexError):
    """A file or array cannot be what it claims to be; the sentence names it."""

    exit_code = 3
