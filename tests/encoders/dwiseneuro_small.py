"""Small networks of DwiseNeuro with weights from a formula, so that their numbers can be compared between programs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cinecortex.encoders.dwiseneuro import DwiseNeuroNetwork

NEURONS = (5, 8, 3)
SETTINGS = {
    "core_features": (6, 8, 14),
    "spatial_strides": (2, 1, 2),
    "se_reduce_ratio": 8,
    "cortex_features": (20, 46),
    "groups": 2,
}


def small_network(expansion_ratio: int = 6, **settings: object) -> DwiseNeuroNetwork:
    """A network of a few features, in evaluation and in double precision, its weights given by `sine_weights`."""
    options = {**SETTINGS, "expansion_ratio": expansion_ratio, **settings}
    network = DwiseNeuroNetwork(NEURONS, **options)  # type: ignore[arg-type]
    return sine_weights(network.double().eval())


def sine_weights(network: nn.Module) -> nn.Module:
    """Weights and running statistics that are sines of their place in the state dict."""
    with torch.no_grad():
        for number, (name, values) in enumerate(network.state_dict().items()):
            if name.endswith(("inv_freq", "num_batches_tracked")):
                continue
            wave = torch.sin(0.7 * (number + 1) + 0.37 * torch.arange(values.numel(), dtype=values.dtype)).reshape(
                values.shape
            )
            if name.endswith("running_var") or name.endswith("bn.weight"):
                values.copy_(1 + 0.4 * wave)
            elif values.ndim == 1:
                values.copy_(0.3 * wave)
            else:
                values.copy_(1.5 * wave / values[0].numel() ** 0.5)
    return network


def sine_inputs(windows: int, frames: int, height: int, width: int) -> Tensor:
    """Five channels: video 0..255 in the upper rows, and behavior that is the same all over a frame."""
    place = torch.arange(windows * frames * height * width, dtype=torch.float64)
    video = (127.5 + 127.5 * torch.sin(0.011 * place * (1 + 0.1 * torch.sin(0.003 * place)))).reshape(
        windows, 1, frames, height, width
    )
    video[..., height // 2 :, :] = 0
    time = torch.arange(windows * frames, dtype=torch.float64).reshape(windows, 1, frames, 1, 1)
    behavior = [scale * torch.sin(speed * time + 1) for scale, speed in ((30, 0.4), (10, 0.9), (4, 1.7), (3, 0.2))]
    return torch.cat([video, *(part.expand(-1, -1, -1, height, width) for part in behavior)], 1)
