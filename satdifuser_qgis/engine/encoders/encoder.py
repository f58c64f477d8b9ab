"""The encoder as one object: images in, named maps out, with an interface like the backbone's but for the times."""

from __future__ import annotations

import io
import math

import torch
from torch import Tensor
from torch.nn import functional

from ..padding import pad_to_multiple
from ..streams import Stream
from .efficientnet_lite import EfficientNetLite2, fold
from .weights import NAME, SHA256, NotInstalled, find_weights, read_weights

# What the network was trained with: 0..255 less the first, over the second.
MIDDLE, SPREAD = 127.0, 128.0


class Encoder:
    """A frozen network on one device, float32.

    Images are enlarged by a whole ``scale`` first (1, 2, 4 …), so that a map's cell is stride / scale image pixels: it
    was trained on photographs, in which things are larger than in satellite imagery. Streams are called
    "efficientnet-lite2.stride16", after the stride in the enlarged image.
    """

    def __init__(self, network: EfficientNetLite2, device: torch.device) -> None:
        self.device = device
        self.network = network.to(device).eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """The encoder's name, for models' headers and reports."""
        return NAME

    @property
    def digest(self) -> str:
        """SHA-256 of its weights as they were published."""
        return SHA256

    def size_multiple(self, scale: int) -> int:
        """Image sides are mirrored out to multiples of this, so that every map's side is whole."""
        return max(1, max(self.network.channels) // scale)

    def streams(self, scale: int) -> tuple[Stream, ...]:
        """What can be read, finest first; strides are image pixels. Maps finer than the image are left out."""
        known = (1, *self.network.channels)
        if scale not in known:
            raise ValueError(f"an image cannot be enlarged by {scale}: it is one of {', '.join(map(str, known))}")
        return tuple(
            Stream(f"{NAME.lower()}.stride{stride}", "mbconv", NAME.lower(), channels, stride // scale)
            for stride, channels in self.network.channels.items()
            if stride >= scale
        )

    @torch.no_grad()
    def features(self, pixels: Tensor, scale: int) -> dict[str, Tensor]:
        """Maps of tiles, by the names of `streams`.

        pixels: (B,3,H,W) red, green and blue, 0..255, any size. Comes out: float32 (B,C,⌈H/stride⌉,⌈W/stride⌉) on the
        device, stride as in `streams`. A tile's maps depend on its own pixels alone.
        """
        streams = self.streams(scale)
        height, width = pixels.shape[-2:]
        grown = pad_to_multiple(pixels.to(self.device, torch.float32), self.size_multiple(scale))
        # One tile at a time on the CPU: its maps stay in the cache (12 ms at 256 px; in twelves 19 ms each).
        tiles = grown.split(1 if self.device.type == "cpu" else len(grown))
        parts = [self._maps(tile, scale) for tile in tiles]
        found: dict[str, Tensor] = {}
        for stream in streams:
            maps = torch.cat([part[stream.stride * scale] for part in parts])
            rows, columns = math.ceil(height / stream.stride), math.ceil(width / stream.stride)
            found[stream.name] = maps[..., :rows, :columns].contiguous()
        return found

    def _maps(self, pixels: Tensor, scale: int) -> dict[int, Tensor]:
        if scale > 1:
            pixels = functional.interpolate(pixels, scale_factor=float(scale), mode="bilinear", align_corners=False)
        scaled = (pixels - MIDDLE) / SPREAD
        return self.network(scaled.contiguous(memory_format=torch.channels_last))


def load_encoder(device: torch.device, deepest: int = 16) -> Encoder | NotInstalled:
    """The encoder with its published weights, in 0.1 s, with maps up to stride ``deepest``.

    Raises EngineError("engine_broken") where the file is not the published one.
    """
    path = find_weights()
    if isinstance(path, NotInstalled):
        return path
    # weights_only: the file is a pickle, and only tensors may come out of it.
    published = torch.load(io.BytesIO(read_weights(path)), "cpu", weights_only=True)
    # On "meta" nothing is drawn at random first.
    with torch.device("meta"):
        network = EfficientNetLite2(deepest)
    network.load_state_dict(fold(published, deepest), assign=True)
    return Encoder(network, device)
