"""A study from its file to its findings, stage by stage.

Each stage says what it makes. What a stage made is used again for as long as nothing that went into it has changed; and
within a stage, what an interrupted run finished: epochs of a fit, inversions, answers to checks.
"""

from cinecortex.running.run import Ran, run_study

__all__ = ["Ran", "run_study"]
