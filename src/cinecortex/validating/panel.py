"""Who answers the questions of the checks: the method that is judged, and those that it is held against."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.checkpoint import Model
from cinecortex.encoders.packing import Packed
from cinecortex.errors import WrongUse
from cinecortex.execution.content import content_of
from cinecortex.execution.fingerprint import fingerprint
from cinecortex.identifiability.identified import Identified
from cinecortex.identifiability.metamer import WEIGHTS, Metamer
from cinecortex.inversion.map import MAP
from cinecortex.methods import DECODERS, DEFAULTS, METHODS, Choices, Method, make_inverter
from cinecortex.reconstruction import Inverter
from cinecortex.recording import Recording
from cinecortex.seeds import Seed
from cinecortex.validation.error_budget import SOLVED

OTHER_PRIORS: Mapping[str, Choices] = {
    "map, power-law prior": replace(DEFAULTS, prior="parametric"),
    "map, smooth prior": replace(DEFAULTS, prior="smooth"),
    "map, prior weighed four times": replace(DEFAULTS, prior_weight=4.0),
    "map, prior weighed a quarter": replace(DEFAULTS, prior_weight=0.25),
}
"""What a careful user might have chosen instead; ``map`` is asked so to see what hangs on its own prior."""


@dataclass(frozen=True, eq=False)
class Panelist:
    """Somebody who answers.

    Attributes:
        name: Short name, for people.
        identity: All that its answers depend on beside observation and seed; they are kept under it.
        make: Makes it; called once, and not at all where every answer is kept.
        ours: Whether it was fitted to nothing but what the encoder was fitted to.
    """

    name: str
    identity: Mapping[str, Any]
    make: Callable[[], Inverter]
    ours: bool = False


def encoder_fingerprint(encoder: Encoder) -> str:
    """Digest of all weights and measured numbers of an encoder."""
    packed = Packed()
    described = packed.add(encoder, "")
    return fingerprint({"described": described, "networks": packed.networks, "tensors": packed.tensors})


def named(
    method: str, model: Model, recording: Recording, *, seed: Seed, choices: Choices = DEFAULTS, name: str = ""
) -> Panelist:
    """One of our own methods.

    Raises:
        WrongUse: there is no such method.
    """
    if method not in METHODS:
        raise WrongUse(f"--method {method!r} is unknown; choose one of {', '.join(METHODS)}, or MODULE:OBJECT.")
    known: Method = method
    identity: dict[str, Any] = {
        "method": method,
        "version": version("cinecortex"),
        "recording": recording.fingerprint,
        "choices": dict(vars(choices)),
    }
    if method in DECODERS or method == "sample":
        told = [facts for facts in model.facts.get("fitted", ()) if facts["session_id"] == recording.session_id]
        identity |= {"fitted": [facts["trials"] for facts in told], "seed": seed}
    if method not in DECODERS:
        identity["encoder"] = encoder_fingerprint(model.session(recording.session_id))

    def make() -> Inverter:
        return make_inverter(known, model, recording, seed=seed, choices=choices)

    return Panelist(name or method, identity, make, ours=True)


def other_priors(model: Model, recording: Recording, *, seed: Seed) -> dict[str, Panelist]:
    """``map`` under other priors than its own."""
    return {
        name: named("map", model, recording, seed=seed, choices=choices, name=name)
        for name, choices in OTHER_PRIORS.items()
    }


PROBES, STEPS, DRAWS = 2, 12, 8
"""What the information of a stretch is measured with: an error of a few hundredths at the price of two inversions."""
DIMENSIONS = 20
"""Of the Krylov space in which the search for a metamer of a stretch begins."""


def measurer(model: Model, recording: Recording) -> Panelist:
    """Who says how much of its answer is data."""
    encoder = model.session(recording.session_id)
    identity = {
        "method": Identified.name,
        "version": version("cinecortex"),
        "encoder": encoder_fingerprint(encoder),
        "settings": {"probes": PROBES, "steps": STEPS, "draws": DRAWS},
    }

    def make() -> Inverter:
        return Identified(encoder=encoder, probes=PROBES, steps=STEPS, draws=DRAWS)

    return Panelist(Identified.name, identity, make, ours=True)


def metamer(model: Model, recording: Recording) -> Panelist:
    """Who looks for movies that the neurons cannot tell from the most probable one."""
    encoder = model.session(recording.session_id)
    identity = {
        "method": Metamer.name,
        "version": version("cinecortex"),
        "encoder": encoder_fingerprint(encoder),
        "settings": {"steps": DIMENSIONS, "draws": DRAWS, "weights": list(WEIGHTS)},
    }

    def make() -> Inverter:
        return Metamer(encoder=encoder, steps=DIMENSIONS, draws=DRAWS)

    return Panelist(Metamer.name, identity, make, ours=True)


EVALUATIONS, TOLERANCE_NATS = 400, 0.05
"""How `map` is asked for a descent to the end: up to four times as long as by default, for a tenth of the gain."""


def solver(model: Model, recording: Recording) -> Panelist:
    """Who goes on where a default descent ends: what another inverter gets wrong beyond that is its own."""
    encoder = model.session(recording.session_id)
    identity = {
        "method": SOLVED,
        "version": version("cinecortex"),
        "encoder": encoder_fingerprint(encoder),
        "settings": {"evaluations": EVALUATIONS, "tolerance_nats": TOLERANCE_NATS},
    }

    def make() -> Inverter:
        return MAP(encoder=encoder, evaluations=EVALUATIONS, tolerance_nats=TOLERANCE_NATS)

    return Panelist("map, to the end", identity, make, ours=True)


def foreign(spec: str, encoder: Encoder) -> Panelist:
    """Somebody's own method, by ``module:object``; the module is looked for in the working folder first.

    The object is an inverter, or makes one when it is called with the encoder.

    Raises:
        WrongUse: there is no such object, or it is no inverter.
    """
    module_name, _, attribute = spec.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
        found = getattr(module, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise WrongUse(f"--method {spec}: {error}; name it MODULE:OBJECT, importable from here.") from error
    finally:
        sys.path.pop(0)
    inverter = found if isinstance(found, Inverter) and not isinstance(found, type) else _made(spec, found, encoder)
    return own(inverter)


def own(inverter: Inverter) -> Panelist:
    """An inverter that a program hands in, known by what it holds and the code it runs.

    Raises:
        WrongUse: it holds something whose content cannot be known.
    """
    return Panelist(inverter.name, {"inverter": content_of(inverter)}, lambda: inverter)


def stored() -> Panelist:
    """Finished movies: they can be asked nothing more."""

    def make() -> Inverter:
        raise WrongUse("finished movies were handed in, and a check asks for a new inversion; leave that check out.")

    return Panelist("the method that made these movies", {"movies": "handed in"}, make)


def _made(spec: str, found: Any, encoder: Encoder) -> Inverter:
    made = found(encoder) if callable(found) else found
    if not isinstance(made, Inverter):
        raise WrongUse(
            f"--method {spec} is no inverter: it needs a name, and to turn (observation, seed) into a Reconstruction."
        )
    return made
