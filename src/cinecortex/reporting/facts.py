"""Whose movies these are, and what it takes to make them again."""

from __future__ import annotations

from collections.abc import Mapping

from cinecortex.reporting.gathered import JUDGED, Gathered

NOTES = (
    "Scores count pixels with mask weight 0.5 or more, after the burn-in. The mask comes from the encoder's "
    "sensitivity, before any test clip was inverted.",
    "A high correlation with the responses of the neurons that a movie was fitted to is no evidence: an inversion that "
    "fits noise reaches it, too. Only neurons that were left out are asked.",
)
SHARE_NOTE = (
    "Data share: one minus posterior over prior variance of a pixel, from the Fisher information of the encoder around "
    "the most probable movie. Near 0 the algorithm speaks, near 1 the neurons do. It comes from a few draws: share and "
    "standard deviation are shown as means over 9 frames and 3x3 pixels."
)


def recording_facts(gathered: Gathered) -> dict[str, str]:
    """What is known of the recording; species and subject are shown as unknown by the page where they are."""
    told, exhibit = gathered.recording, gathered.exhibit
    metadata = dict(told["metadata"])
    facts = {
        "session": str(told["session_id"]),
        **{name: str(metadata.pop(name)) for name in ("species", "subject") if name in metadata},
        "neurons": f"{told['neurons']:,}",
        "clips judged": str(len(told["judged"])),
    }
    if exhibit.trials:
        frames, height, width = exhibit.trials[0].movie.shape
        facts["movies"] = f"{frames} frames of {height}x{width} px at {exhibit.trials[0].frame_rate_hz:g} Hz"
    known = {"session_id", "simulated", "frame_rate_hz"}
    return facts | {name.replace("_", " "): str(value) for name, value in metadata.items() if name not in known}


def encoder_facts(gathered: Gathered) -> dict[str, str]:
    """What is known of the encoder."""
    told = gathered.found.content["encoder"]
    return {
        "kind": str(told["kind"]),
        "fitted to": ", ".join(map(str, told.get("fitted", ()))) or "it does not say",
        "fingerprint": str(told["fingerprint"]),
    }


def provenance(gathered: Gathered) -> dict[str, str]:
    """Fingerprints, settings, seed, versions, machine, time spent, and the commands."""
    content = gathered.found.content
    versions: Mapping[str, str] = content.get("versions", {})
    spent = gathered.results(JUDGED)
    facts = {
        "findings by": str(content.get("command", "cinecortex validate")),
        "recording": str(content["recording"]["fingerprint"]),
        "encoder": str(content["encoder"]["fingerprint"]),
        "method": f"{gathered.method}, {content['method']['fingerprint']}",
        **({"settings": _settings(content["method"]["settings"])} if content["method"].get("settings") else {}),
        "seed": str(content["seed"]),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "machine": str(content.get("machine", "not noted")),
    }
    if spent:
        seconds = sum(answer.seconds for _, answer in spent) / len(spent)
        facts["time of one reconstruction"] = f"{seconds:.1f} s of wall clock, mean of {len(spent)} clips"
    inversions = content.get("spent", {})
    if inversions:
        facts["time of all inversions"] = (
            f"{inversions['seconds'] / 60:.1f} min in {inversions['inversions']} inversions"
        )
        facts["energy"] = "not measured"
    return facts


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items() if value not in (None, ""))
