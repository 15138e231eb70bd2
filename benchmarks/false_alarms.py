"""The whole suite on honest recordings and on odd ones: does it cry wolf, and does it say no when the answer is no?

    python benchmarks/false_alarms.py --folder out/alarms --out docs/results/false-alarms.md

Simulated Sensorium folders (see benchmarks/odd_recordings.py): honest ones of several sizes, and ones on which a
truthful suite must not support the claim. Each is simulated, fitted by a compact encoder, inverted by `map` and judged
by all checks. What is done is kept in the folder: a benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cinecortex import validating
from cinecortex.data import load
from cinecortex.encoders.checkpoint import load_model, save_model
from cinecortex.encoders.train import fit_model
from cinecortex.execution.machines import Machines
from cinecortex.seeds import Seed
from cinecortex.validation.suite import SUITE
from odd_recordings import FEW, NEURONS, RECORDINGS
from page import command_of, publish, remarks, table

HONEST = "honest"
SIZES = (100, NEURONS, 400)
TEST_TIER = "final_test_main"


def judge(folder: Path, kind: str, seed: int, neurons: int, threads: int) -> dict[str, Any]:
    """Simulate, fit, invert and judge one recording; or read what was found."""
    own = folder / f"{kind}-{neurons}-{seed}"
    findings = own / "validation" / "findings.json"
    if not findings.exists():
        root = Seed(seed) / kind
        if not (own / "mouse").exists():
            own.mkdir(parents=True, exist_ok=True)
            RECORDINGS[kind](own / "mouse", root, neurons=neurons)
        recording = load(own / "mouse")
        if not (own / "encoder").exists():
            save_model(fit_model([recording], seed=root / "fit"), own / "encoder")
        model = load_model(own / "encoder")
        options = validating.Options(machines=Machines(threads=threads), shown=False)
        validating.validate(recording, model, out=own / "validation", options=options, seed=root / "validate")
        print(f"{own.name}: {json.loads(findings.read_text())['summary']['verdict']}", flush=True)
    content: dict[str, Any] = json.loads(findings.read_text())
    return content


def verdicts(content: Mapping[str, Any], verdict: str) -> list[str]:
    """The checks that came to this verdict."""
    return [finding["id"] for finding in content["findings"] if finding["verdict"] == verdict]


def rows_of(name: str, judged: Mapping[int, Mapping[str, Any]]) -> list[list[str]]:
    """One row for each recording of a kind, by its seed."""
    rows = []
    for number, content in judged.items():
        refuted, unsure = (", ".join(verdicts(content, word)) for word in ("refuted", "undecided"))
        gain = next(f["value"] for f in content["findings"] if f["id"] == "controls.no_neurons")
        rows.append([name, str(number), content["summary"]["verdict"], f"{gain:.3f}", refuted, unsure])
    return rows


def main() -> None:
    """Judge everything that is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/alarms"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/false-alarms.md"))
    parser.add_argument("--honest", type=int, default=20, help="honest recordings, of sizes in turn")
    parser.add_argument("--null", type=int, default=20, help="recordings whose responses ignore the movie")
    parser.add_argument("--odd", type=int, default=2, help="recordings of each other odd kind")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    plan = [(HONEST, seed, SIZES[seed % len(SIZES)]) for seed in range(options.honest)]
    plan += [("deaf", seed, NEURONS) for seed in range(options.null)]
    others = [kind for kind in RECORDINGS if kind not in (HONEST, "deaf")]
    plan += [(kind, seed, FEW if kind == "few" else NEURONS) for kind in others for seed in range(options.odd)]
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for kind, seed, neurons in plan:
        name = f"{kind}, {neurons} neurons"
        found.setdefault(name, {})[seed] = judge(options.folder, kind, seed, neurons, options.threads)

    rows = [row for name, judged in found.items() for row in rows_of(name, judged)]
    header = ["recording", "seed", "summary", "gain over no neurons", "refuted", "undecided"]
    honest = [content for name, judged in found.items() if name.startswith(HONEST) for content in judged.values()]
    null = [content for name, judged in found.items() if name.startswith("deaf") for content in judged.values()]
    alarms = Counter(check for content in honest for check in verdicts(content, "refuted"))
    claims = Counter(check for content in null for check in verdicts(content, "supported"))
    by_check = [[f"`{entry.id}`", str(alarms[entry.id]), str(claims[entry.id])] for entry in SUITE]
    sound = sum(content["summary"]["verdict"] == "supported" for content in honest)
    notes = [
        f"Honest recordings whose main claim is supported: {sound} of {len(honest)}; on the others it stays open but "
        "where a check is refuted: ten clips of 3.3 s, 100 to 400 neurons and 60 training clips are little.",
        f"{sum(alarms.values())} checks refuted in all on {len(honest)} honest recordings.",
        "Of recordings whose responses ignore the movie, `leakage` is rightly supported: nothing was leaked.",
        "`fit` leaves training clips out that are copies of test clips, so an encoder of a `copied` recording has seen "
        "none of them; `leakage.clips` leaves the question open all the same, as what is tested must be a clip that "
        "no training tier holds.",
        "In a first run `prior.sensitivity` was supported on 7 of the 20 null recordings: noise that is fitted stays "
        "under every prior. It asks since then that what stays be of the movie; the answers were judged again.",
    ]
    publish(
        options.out,
        "False alarms and missed ones",
        [
            *table(header, rows),
            "",
            *table(["check", f"refuted on {len(honest)} honest", f"supported on {len(null)} null"], by_check),
            *remarks(notes),
        ],
        command=command_of("false_alarms.py", parser, options),
    )


if __name__ == "__main__":
    main()
