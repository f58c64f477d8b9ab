"""Streams of a diffusion model in words: "decoder, finest level, block 2" for "up_blocks.3.resnets.1"."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SIDES = {"down_blocks": "encoder", "mid_block": "bottleneck", "up_blocks": "decoder"}
_KINDS = {
    "conv1": "first convolution",
    "conv2": "second convolution",
    "attn1": "self-attention",
    "attn2": "cross-attention",
}
_ORDINALS = ("", "", "second", "third", "fourth", "fifth", "sixth")


def streams_in_words(strides: Mapping[str, int]) -> dict[str, str]:
    """The words for each stream, given the image pixels per pixel of its map; its own name where words are none or
    those of another stream too."""
    levels = sorted(set(strides.values()))
    words = {name: _words(name, stride, levels) for name, stride in strides.items()}
    said = list(words.values())
    return {name: text if text and said.count(text) == 1 else name for name, text in words.items()}


def level_in_words(stride: int, levels: list[int]) -> str:
    """Which of the map sizes, ascending strides; "" where there is one."""
    if len(levels) == 1:
        return ""
    place = levels.index(stride) + 1
    return f"{'finest' if place == 1 else 'coarsest' if place == len(levels) else _ORDINALS[place]} level"


def _words(name: str, stride: int, levels: list[int]) -> str:
    head, *rest = name.split(".")
    side = _SIDES.get(head)
    block = re.search(r"\b(resnets|attentions)\.(\d+)", name)
    if side is None or block is None:
        return ""
    number = int(block[2]) + 1
    unit = f"{'attention' if block[1] == 'attentions' else 'block'} {number}"
    kind = _KINDS.get(rest[-1], "")
    level = level_in_words(stride, levels) if side != "bottleneck" else ""
    return ", ".join(part for part in (side, level, unit, kind) if part)
