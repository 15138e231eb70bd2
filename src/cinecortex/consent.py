"""Human subjects: nothing is reconstructed from them without a statement of consent and ethics approval."""

from __future__ import annotations

import re

from cinecortex.errors import WrongUse
from cinecortex.recording import Recording

_NOT_A_PERSON = {"non", "silico"}
"""Words before ``human`` that turn its meaning round: ``non-human primate``, ``in-silico human``."""
_TAXON = "9606"
"""Homo sapiens in the NCBI taxonomy, as data archives write it: ``NCBITaxon_9606``."""


def is_human(fact: str) -> bool:
    """Whether a word of metadata says that the subject is a human being.

    ``human``, ``Human subject 3``, ``Homo sapiens``, ``homo_sapiens`` and ``NCBITaxon:9606`` do, whatever their case,
    spaces and punctuation; ``non-human primate`` and ``humanised mouse`` do not. It rather asks once too often: a
    ``mouse with human graft`` does, too.
    """
    words = re.findall(r"[a-z]+|[0-9]+", fact.casefold())
    if "homosapiens" in "".join(words) or ("ncbitaxon" in words and _TAXON in words):
        return True
    before = ["", *words]
    return any(word in ("human", "humans") and before[place] not in _NOT_A_PERSON for place, word in enumerate(words))


def needs_consent(recording: Recording) -> bool:
    """Whether the recording says, as its ``species`` or its ``subject``, that a human being was recorded."""
    return any(is_human(recording.metadata.get(name, "")) for name in ("species", "subject"))


def stated_consent(recording: Recording, consent: str | None) -> str:
    """The statement that goes with everything reconstructed from this recording; empty where none was made or needed.

    It is taken at its word: what it says is for an ethics board to judge. An observation has no species, so whoever
    calls an inverter with observations of their own is not asked.

    Args:
        recording: What is about to be reconstructed from.
        consent: What was stated, such as ``written consent, ethics approval 2026-17 of the university hospital``.

    Raises:
        WrongUse: the subject is human and nothing was stated.
    """
    statement = " ".join((consent or "").split())
    if needs_consent(recording) and not statement:
        raise WrongUse(
            f"{recording.source} says that its subject is human; state consent and ethics approval with --consent "
            '(in Python consent="...", in a study file consent = "..." under [recordings]).'
        )
    return statement


def about_subject(recording: Recording, consent: str) -> dict[str, str]:
    """Who was recorded, or that it is not known, and what was stated of consent: facts that go with every result.

    Args:
        recording: What was reconstructed from.
        consent: From `stated_consent`; a fact only where it was made.
    """
    return {
        "species": recording.metadata.get("species", "unknown"),
        "subject": recording.metadata.get("subject", "unknown"),
        "simulated": str(recording.simulated).lower(),
        **({"consent": consent} if consent else {}),
    }
