"""Encoders of every kind as JSON values and named tensors, and back. `checkpoint` makes files of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cinecortex.encoders.base import Encoder, ObservationModel, SharedGain
from cinecortex.encoders.compact import CompactEncoder
from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.encoders.linear_nonlinear import LinearNonlinear
from cinecortex.encoders.separable import SeparableEncoder
from cinecortex.stimuli.spectrum import MovieStatistics

KINDS = (CompactEncoder.kind, LinearNonlinear.kind, DwiseNeuroEncoder.kind, Ensemble.kind)


class Packed:
    """Encoders on their way into a file; a network that several of them share is there once.

    Attributes:
        tensors: Weights and measured numbers by name.
        networks: Settings of the shared networks, as JSON values.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.networks: list[dict[str, Any]] = []
        self._known: list[nn.Module] = []

    def add(self, encoder: Encoder, prefix: str) -> dict[str, Any]:
        """What JSON must say about an encoder whose tensors' names begin with ``prefix``."""
        described: dict[str, Any] = {"kind": encoder.kind, "settings": encoder.settings}
        if isinstance(encoder, Ensemble):
            described["settings"] = {}
            described["members"] = [self._member(encoder, i, prefix) for i in range(len(encoder.members))]
        elif isinstance(encoder, DwiseNeuroEncoder):
            described["settings"] = {name: v for name, v in encoder.settings.items() if name != "network"}
            described["network"] = self._network(encoder.network)
            self.tensors[prefix + "behavior_mean"] = encoder.behavior_mean
        else:
            self._keep(prefix + "weights.", encoder.state_dict())
        if encoder.observation_model is not None:
            self.tensors[prefix + "dispersion"] = encoder.observation_model.dispersion
            self.tensors[prefix + "correlation_time"] = encoder.observation_model.correlation_time
            shared = encoder.observation_model.shared_gain
            if shared is not None:
                self.tensors[prefix + "shared_loading"] = shared.loading
                self.tensors[prefix + "shared_correlation_time"] = shared.correlation_time
        statistics = encoder.movie_statistics
        described["movie_statistics"] = statistics.to_json() if statistics is not None else None
        return described

    def _member(self, ensemble: Ensemble, number: int, prefix: str) -> dict[str, Any]:
        member = ensemble.members[number]
        described = self.add(member, f"{prefix}member{number}.")
        if member.movie_statistics is ensemble.movie_statistics:
            described["movie_statistics"] = "of the ensemble" if ensemble.movie_statistics is not None else None
        return described

    def _network(self, network: DwiseNeuroNetwork) -> int:
        for number, known in enumerate(self._known):
            if known is network:
                return number
        self._known.append(network)
        self.networks.append(network.settings)
        self._keep(f"network{len(self._known) - 1}.weights.", network.state_dict())
        return len(self._known) - 1

    def _keep(self, prefix: str, state: Mapping[str, Tensor]) -> None:
        self.tensors |= {prefix + name: value for name, value in state.items()}


class Unpacked:
    """Encoders on their way out of a file.

    Args:
        tensors: Of `Packed.tensors`.
        networks: Of `Packed.networks`.
        kind: The kind of every encoder whose description does not name one.

    Raises:
        KeyError, TypeError, ValueError: a description lacks or misspells a part.
        RuntimeError: tensors do not fit their description.
    """

    def __init__(self, tensors: Mapping[str, Tensor], networks: list[dict[str, Any]], kind: str) -> None:
        self._tensors, self._kind = tensors, kind
        self._networks = [DwiseNeuroNetwork(**settings) for settings in networks]
        for number, network in enumerate(self._networks):
            network.load_state_dict(self._part(f"network{number}.weights."))

    def encoder(self, described: Mapping[str, Any], prefix: str) -> Encoder:
        """The encoder of one description, in evaluation."""
        encoder = self._built(described, prefix)
        if prefix + "dispersion" in self._tensors:
            encoder.observation_model = self._observation_model(prefix)
        statistics = described["movie_statistics"]
        if isinstance(statistics, dict):
            encoder.movie_statistics = MovieStatistics.from_json(statistics)
        if isinstance(encoder, Ensemble):
            for member, stored in zip(encoder.members, described["members"], strict=True):
                if stored["movie_statistics"] == "of the ensemble":
                    member.movie_statistics = encoder.movie_statistics
        return encoder.eval()

    def _observation_model(self, prefix: str) -> ObservationModel:
        shared = None
        if prefix + "shared_loading" in self._tensors:
            shared = SharedGain(
                self._tensors[prefix + "shared_loading"], self._tensors[prefix + "shared_correlation_time"]
            )
        return ObservationModel(
            self._tensors[prefix + "dispersion"], self._tensors[prefix + "correlation_time"], shared
        )

    def _built(self, described: Mapping[str, Any], prefix: str) -> Encoder:
        kind, settings = described.get("kind", self._kind), described["settings"]
        if kind == Ensemble.kind:
            members = described["members"]
            return Ensemble([self.encoder(each, f"{prefix}member{i}.") for i, each in enumerate(members)])
        if kind == DwiseNeuroEncoder.kind:
            bound = DwiseNeuroEncoder(self._networks[described["network"]], **_tuples(settings))
            bound.behavior_mean.copy_(self._tensors[prefix + "behavior_mean"])
            return bound
        encoder = _blank(kind, _tuples(settings))
        encoder.load_state_dict(self._part(prefix + "weights."))
        return encoder

    def _part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in self._tensors.items() if name.startswith(prefix)}


def _blank(kind: str, settings: dict[str, Any]) -> Encoder:
    """An encoder of these settings whose weights are still to be loaded."""
    if kind == CompactEncoder.kind:
        return CompactEncoder(**settings)
    if kind == SeparableEncoder.kind and "rank" in settings:
        return SeparableEncoder(**settings)
    if kind == LinearNonlinear.kind:
        return LinearNonlinear.blank(**settings)
    raise ValueError(f"unknown kind {kind!r}")


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
