"""Who is a human subject by the word of metadata, and what is then asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cinecortex.consent import is_human, needs_consent, stated_consent
from cinecortex.errors import WrongUse
from cinecortex.recording import Neurons, Recording


def recorded(**metadata: str) -> Recording:
    return Recording("s", (), Neurons(np.arange(1)), 30.0, (4, 4), "a.u.", (), metadata, Path("rec/s"), "f")


@pytest.mark.parametrize(
    "fact",
    [
        *("human", "Human", " HUMAN ", "humans", "human subject 3", "Human, adult", "mouse with human graft"),
        *("Homo sapiens", "homo  sapiens", "HOMO SAPIENS", "homo_sapiens", "homosapiens", "Homo\tsapiens sapiens"),
        *("NCBITaxon:9606", "http://purl.obolibrary.org/obo/NCBITaxon_9606", "Homo sapiens - Human"),
    ],
)
def test_it_is_human(fact):
    assert is_human(fact)
    assert needs_consent(recorded(species=fact))
    assert needs_consent(recorded(subject=fact))


@pytest.mark.parametrize(
    "fact",
    [
        *("", "unknown", "mouse", "Mus musculus", "in-silico mouse", "in-silico human", "Macaca mulatta"),
        *("non-human primate", "nonhuman primate", "humanised mouse", "NCBITaxon:10090", "mouse 9606", "Homo erectus"),
    ],
)
def test_it_is_not(fact):
    assert not is_human(fact)
    assert stated_consent(recorded(species=fact, subject=fact), None) == ""


def test_a_statement_is_asked_for_and_kept_as_one_line():
    human = recorded(species="Homo sapiens")
    for nothing in (None, "", " \n"):
        with pytest.raises(WrongUse, match=r"rec/s says that its subject is human; state .* with --consent") as error:
            stated_consent(human, nothing)
        assert str(error.value).count("\n") == 0
        assert error.value.exit_code == 2
    assert stated_consent(human, " written,\n ethics 17 ") == "written, ethics 17"
    assert stated_consent(recorded(species="mouse"), "licence 3") == "licence 3"
