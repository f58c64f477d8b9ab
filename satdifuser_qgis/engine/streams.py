"""Named maps of a network and the scales that they make up: what every source of features says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """One module's output. ``name`` is its path in the network; ``stride`` is image pixels per pixel of its map.

    Kinds: resnet (a whole block, after the addition), conv1 and conv2 (inside it), attn1 (self-attention before
    the addition), attn2 (cross-attention), attention (self-attention of pixel-space networks, after the addition);
    mbconv (the encoder's last block of a stride, after the addition).
    """

    name: str
    kind: str
    block: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Scale:
    """Streams of one map size. ``channels`` are theirs, in the same order; ``stride`` is image px per map px."""

    stride: int
    streams: tuple[str, ...]
    channels: tuple[int, ...]


def group_by_stride(streams: Iterable[Stream]) -> tuple[Scale, ...]:
    """Scales from the largest map to the smallest; streams keep their order within a scale."""
    groups: dict[int, list[Stream]] = {}
    for stream in streams:
        groups.setdefault(stream.stride, []).append(stream)
    return tuple(
        Scale(stride, tuple(s.name for s in group), tuple(s.channels for s in group))
        for stride, group in sorted(groups.items())
    )
