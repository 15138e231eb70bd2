"""cinecortex: reconstruct the movie an animal watched from its visual cortex, and tell the truth about the result."""

__version__ = "0.1.0"
