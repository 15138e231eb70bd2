"""Every benchmark, one after another: `make bench`. Tables go to docs/results/.

The benchmarks of inversion and of cost run the published recipe in full, on twelve and on twenty clips, and take most
of the time (about 50 minutes on two cores, and longer). They keep what they have finished in out/bench, so they can be
stopped and started again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RETINA = HERE.parent.parent / "shared" / "data" / "retina_white_noise.npz"


def main() -> int:
    """Run all; the exit code is 0 when all succeeded."""
    retina = ["--retina", str(RETINA)] if RETINA.exists() else []
    jobs = [
        ["encoder.py", *retina],
        ["inversion.py"],
        ["population.py"],
        ["population_information.py"],
        ["methods.py"],
        ["ensembling.py"],
        ["draws.py"],
        ["calibration.py"],
        ["information.py"],
        ["carried.py"],
        ["resolution.py"],
        ["error_budget.py"],
        ["cost.py"],
        ["ceiling.py"],
        ["physiology.py"],
        ["dwiseneuro.py"],
    ]
    jobs.append(["loading.py"])
    if RETINA.exists():
        jobs.insert(1, ["retina.py", str(RETINA)])
    else:
        print(f"retina.py is left out: {RETINA.name} is not beside this checkout")
    return max(subprocess.run([sys.executable, HERE / name, *rest], check=False).returncode for name, *rest in jobs)


if __name__ == "__main__":
    sys.exit(main())
