"""Energy that the processors of this machine took, by their own meters, where these can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

METERS = Path("/sys/class/powercap")
"""Where Linux shows the running average power limit (RAPL) counters of Intel's and AMD's processors."""


@dataclass(frozen=True, eq=False)
class Energy:
    """A reading of all meters, to be compared with a later one.

    A counter begins anew when it has reached its range, after minutes to hours of full load: read it more often than
    that. Memory is counted where the processor counts it; accelerators and other machines are not.

    Attributes:
        counters: Microjoules and the range of each meter, by its path.
    """

    counters: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @staticmethod
    def read(meters: Path = METERS) -> Energy:
        """Read every processor's meter; one that may not be read (Linux asks for an administrator) is none."""
        found = {}
        # A processor is intel-rapl:0; intel-rapl:0:1 is a part of it.
        for folder in sorted(meters.glob("intel-rapl:*")):
            if folder.name.count(":") > 1:
                continue
            try:
                values = [int((folder / name).read_text()) for name in ("energy_uj", "max_energy_range_uj")]
            except (OSError, ValueError):
                continue
            found[folder] = (values[0], values[1])
        return Energy(found)

    def joules_until(self, later: Energy) -> float | None:
        """Joules between two readings; None where there is no meter, or one is gone."""
        if not self.counters or set(self.counters) != set(later.counters):
            return None
        spent = 0
        for meter, (before, span) in self.counters.items():
            gone = later.counters[meter][0] - before
            spent += gone if gone >= 0 else gone + span
        return spent / 1e6
