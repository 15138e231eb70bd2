"""Meters as Linux shows them, made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinecortex.execution.energy import Energy


def meter(folder: Path, name: str, energy: int | str, span: int = 1000) -> None:
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    (own / "energy_uj").write_text(f"{energy}\n")
    (own / "max_energy_range_uj").write_text(f"{span}\n")


def test_the_processors_are_added_and_their_parts_are_not(tmp_path):
    for name, energy in (("intel-rapl:0", 100), ("intel-rapl:0:0", 50), ("intel-rapl:1", 7)):
        meter(tmp_path, name, energy)
    before = Energy.read(tmp_path)
    for name, energy in (("intel-rapl:0", 400), ("intel-rapl:0:0", 350), ("intel-rapl:1", 10)):
        meter(tmp_path, name, energy)
    assert before.joules_until(Energy.read(tmp_path)) == pytest.approx(303e-6)


def test_a_counter_that_began_anew_is_followed(tmp_path):
    meter(tmp_path, "intel-rapl:0", 990)
    before = Energy.read(tmp_path)
    meter(tmp_path, "intel-rapl:0", 15)
    assert before.joules_until(Energy.read(tmp_path)) == pytest.approx(25e-6)


def test_without_a_meter_nothing_is_known(tmp_path):
    assert Energy.read(tmp_path).joules_until(Energy.read(tmp_path)) is None
    meter(tmp_path, "intel-rapl:0", "not to be read")
    assert Energy.read(tmp_path).joules_until(Energy.read(tmp_path)) is None
    meter(tmp_path, "intel-rapl:0", 5)
    assert Energy.read(tmp_path / "no").joules_until(Energy.read(tmp_path)) is None
