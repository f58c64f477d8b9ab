"""Fuser, head and classifier of single pixels as one module: what training trains, model files hold and maps need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .fusers import Fused, build_fuser
from .heads import build_head
from .heads.layers import given, mixed
from .heads.pixel_networks import PixelNetworks
from .heads.pixels import PixelClassifier
from .streams import Scale


@dataclass(frozen=True)
class DecoderConfig:
    """Everything that a decoder's shape depends on; kept in model files.

    fusion: global, localized or mixture. head: linear, light, upernet or scene. scales: as `Extractor.scales`.
    times: model times of the features, least noise first. width: of the fused maps. side_channels: pixels beside the
    features.
    groups, blocks: of the projections, groups 0 chooses. head_channels: inner width of the head, 0 for its own.
    landmarks: tiles that the scene head's kernel machine compares with; its side channels are statistics of a tile.
    pixels: whether classifiers of single pixels stand beside fuser and head. share: what those two count for in the
    probabilities then, 0 to 1. encoded: the companion encoder's maps that those of single pixels read, () for none.
    What belongs to other fusers or heads is ignored.
    """

    fusion: str
    head: str
    scales: tuple[Scale, ...]
    times: tuple[int, ...]
    classes: int
    width: int = 64
    side_channels: int = 0
    groups: int = 0
    blocks: int = 1
    temperature: float = 1.0
    slicing: str = "corrected"
    mode: str = "sparse"
    experts: int = 4
    top_k: int = 2
    head_channels: int = 0
    norm: str = "group"
    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    rescales: tuple[float, ...] = ()
    align_corners: bool = False
    landmarks: int = 0
    pixels: bool = False
    share: float = 1.0
    encoded: tuple[Scale, ...] = ()

    def fuser_options(self) -> dict[str, Any]:
        """What the chosen fuser is built with."""
        options: dict[str, Any] = {"groups": self.groups, "blocks": self.blocks}
        if self.fusion == "localized":
            options |= {"temperature": self.temperature, "slicing": self.slicing}
        if self.fusion == "mixture":
            options |= {
                "temperature": self.temperature,
                "mode": self.mode,
                "experts": self.experts,
                "top_k": self.top_k,
            }
        return options

    def head_options(self) -> dict[str, Any]:
        """What the chosen head is built with."""
        options: dict[str, Any] = {}
        if self.head != "linear" and self.head_channels:
            options["channels"] = self.head_channels
        if self.head == "scene":
            options["landmarks"] = self.landmarks
        if self.head == "upernet":
            options |= {
                "pool_scales": self.pool_scales,
                "rescales": self.rescales,
                "norm": self.norm,
                "align_corners": self.align_corners,
            }
        return options


class Decoder(nn.Module):
    """Pyramid of features to logits, built from its configuration alone.

    With a classifier of single pixels, the probabilities are ``share`` of those of fuser and head, and the rest its
    own. Each is trained by itself. Raises ValueError for a share outside of 0 to 1.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        strides = [scale.stride for scale in config.scales]
        self.fuser: nn.Module = build_fuser(
            config.fusion, config.scales, len(config.times), config.width, **config.fuser_options()
        )
        self.head = build_head(
            config.head, config.width, strides, config.classes, config.side_channels, **config.head_options()
        )
        self.pixels = _pixels(config)
        self.give_share(config.share)

    def give_share(self, share: float) -> None:
        """Sets what fuser and head count for beside the classifier of single pixels."""
        if not 0 <= share <= 1:
            raise ValueError(f"the share of fuser and head is {share} but must be 0 to 1")
        self.config = replace(self.config, share=share)

    @property
    def uses_features(self) -> bool:
        """False where the map is all left to single pixels; then `forward` may be given an empty pyramid."""
        return self.pixels is None or self.config.share > 0

    @property
    def uses_encoder(self) -> bool:
        """False where `forward` may be given no maps of the encoder."""
        return bool(self.config.encoded) and self.config.share < 1

    def forward(
        self,
        pyramid: Sequence[Tensor],
        size: tuple[int, int],
        side: Tensor | None = None,
        encoded: Sequence[Tensor] = (),
    ) -> Tensor:
        """Logits (B,classes,H,W), or (B,classes) of a linear head.

        pyramid: per scale (B,T,ΣC,h,w). size: (H,W) of the image. side: (B,side_channels,H,W). encoded: maps (B,C,h,w)
        of the encoder, finest first.
        """
        if self.pixels is None or self.config.share == 1:
            return self.head(self.fuser(pyramid).maps, size, side)
        plain: Tensor = self.pixels(given(side, self.config.side_channels), encoded)
        if not self.uses_features:
            return plain
        return mixed(self.head(self.fuser(pyramid).maps, size, side), plain, self.config.share)

    def forward_with_balance(
        self, pyramid: Sequence[Tensor], size: tuple[int, int], side: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of fuser and head alone, and the fuser's balance value to be made small in training (else 0)."""
        fused: Fused = self.fuser(pyramid)
        logits = self.head(fused.maps, size, side)
        return logits, logits.new_zeros(()) if fused.balance is None else fused.balance

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Weights with published key names, fuser and head side by side. Raises RuntimeError where keys do not fit."""
        own = set(self.fuser.state_dict())
        self.fuser.load_state_dict({key: value for key, value in state.items() if key in own}, strict=True)
        self.head.load_state_dict({key: value for key, value in state.items() if key not in own}, strict=True)

    @torch.no_grad()
    def fusion_table(self, pyramids: Sequence[Sequence[Tensor]]) -> list[dict[str, float | int | str]]:
        """{time, stream, weight} of each pair, weights summing to 1; of a mixture, experts take the place of streams.

        Weights that depend on the image are means over ``pyramids``, one tile each, (T,ΣC,h,w) a scale; all scales
        count alike. Empty where such weights come without a tile.
        """
        scales, times = self.config.scales, self.config.times
        if self.config.fusion == "global":
            names = [name for scale in scales for name in scale.streams]
            shares = self.fuser.get_parameter("mixing_weights").softmax(0).view(len(times), -1)
            return _rows(times, names, shares)
        rows: list[dict[str, float | int | str]] = []
        tiles = [self._gates(pyramid) for pyramid in pyramids]
        for number, scale in enumerate(scales if tiles else ()):
            gates = [tile[number] for tile in tiles]
            names = list(scale.streams)
            if self.config.fusion == "mixture":
                names = [
                    f"expert {expert + 1} of {self.config.experts}, stride {scale.stride}"
                    for expert in range(self.config.experts)
                ]
            shares = torch.stack(gates).mean(0).view(len(times), len(names))
            rows += _rows(times, names, shares / shares.sum() / len(scales))
        return rows

    def _gates(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """Per scale (T · streams,) or (T,experts): what the fuser gave to each in a tile, as a mean over its pixels."""
        device = next(self.parameters()).device
        weights = self.fuser([level[None].to(device).float() for level in pyramid]).weights
        gates = [weights[f"gate{number}"][0] for number in range(len(self.config.scales))]
        return gates if self.config.fusion == "mixture" else [gate.mean((-2, -1)) for gate in gates]


def _pixels(config: DecoderConfig) -> PixelNetworks | PixelClassifier | None:
    if not config.pixels:
        return None
    if config.encoded:
        return PixelNetworks(config.side_channels, config.encoded, config.classes)
    return PixelClassifier(config.side_channels, config.classes)


def _rows(times: Sequence[int], names: Sequence[str], shares: Tensor) -> list[dict[str, float | int | str]]:
    """``shares`` (T,N) of the named as {time, stream, weight}."""
    return [
        {"time": time, "stream": name, "weight": float(share)}
        for time, row in zip(times, shares.tolist(), strict=True)
        for name, share in zip(names, row, strict=True)
    ]
