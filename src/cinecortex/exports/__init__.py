"""Results and findings as files that other programs open, each with where it comes from."""

from cinecortex.exports.run import FORMATS, Format, Request, export

__all__ = ["FORMATS", "Format", "Request", "export"]
