"""Numbers for reading, and as JSON that every program reads."""

import json
import math

from cinecortex.finding import Finding, plain
from cinecortex.metrics import Interval


def number(value: float | None, digits: int = 3) -> str:
    """A score for reading: fixed digits, a true minus sign, a dash for what is not known."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def interval(ends: Interval | tuple[float, float], digits: int = 2) -> str:
    """``0.69 to 0.79``, or nothing when there is no interval."""
    low, high = (ends.low, ends.high) if isinstance(ends, Interval) else ends
    return "" if math.isnan(low) or math.isnan(high) else f"{number(low, digits)} to {number(high, digits)}"


def amount(value: int | float | None) -> str:
    """A cost for reading: ``18,000``, ``4.2``, or a dash."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def size(text: str) -> str:
    """How much a text weighs: ``480 bytes``, ``120 kB``, ``1.2 MB``."""
    weight = len(text.encode())
    if weight < 1000:
        return f"{weight} bytes"
    return f"{weight / 1000:.0f} kB" if weight < 999_500 else f"{weight / 1e6:.1f} MB"


def finding_text(finding: Finding) -> str:
    """A finding with its data, as JSON; what is not a number, or infinite, is null."""
    return json.dumps(plain(finding.to_json()), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
