"""The places inside a network where features can be taken, found by the class of the modules."""

from __future__ import annotations

from collections.abc import Callable

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from ..streams import Stream
from .taps import tap


def discover(network: nn.Module, call: Callable[[], Tensor], image_px: int) -> tuple[Stream, ...]:
    """All streams of a network in order of execution.

    call: one forward pass for a square image of ``image_px``, such that every map's side divides it.
    """
    kinds = _candidates(network)
    _, maps = tap(network, list(kinds), call)
    return tuple(
        Stream(name, kinds[name], _block(name), value.shape[1], image_px // value.shape[-1])
        for name, value in maps.items()
    )


def _candidates(network: nn.Module) -> dict[str, str]:
    """Module path → kind, in the order in which the network declares its modules."""
    kinds: dict[str, str] = {}
    for path, module in network.named_modules():
        holder, _, last = path.rpartition(".")
        if isinstance(module, ResnetBlock2D):
            kinds |= {f"{path}.conv1": "conv1", f"{path}.conv2": "conv2", path: "resnet"}
        elif isinstance(module, BasicTransformerBlock):
            kinds |= {f"{path}.{part}": part for part in ("attn1", "attn2") if getattr(module, part, None) is not None}
        elif isinstance(module, Attention) and last.isdigit() and holder.endswith("attentions"):
            kinds[path] = "attention"
    return kinds


def _block(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 1 and parts[1].isdigit() else parts[0]
