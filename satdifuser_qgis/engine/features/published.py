"""The published configuration's way to name streams: a member of the network, a name's ending, and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn


def published_streams(network: nn.Module, layer_idxs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Module paths that a published ``layer_idxs`` stands for, in the order of the published concatenation.

    layer_idxs: {"up_blocks": {"attn1": "all", "conv2": [[block, index], …]}}. Within each block all modules count
    whose path ends so; a list of modules stands for its members. Raises ValueError for a member that is not there.
    """
    paths = {id(module): name for name, module in network.named_modules()}
    found: list[str] = []
    for member, endings in layer_idxs.items():
        holder = getattr(network, member, None)
        if not isinstance(holder, nn.Module):
            raise ValueError(f'the network has no member "{member}"')
        blocks = list(holder) if isinstance(holder, nn.ModuleList) else [holder]
        for number, block in enumerate(blocks):
            for ending, chosen in endings.items():
                matches = _ending_with(block, ending)
                found += [paths[id(m)] for j, m in enumerate(matches) if _is_chosen(chosen, number, j)]
    return found


def _ending_with(block: nn.Module, ending: str) -> list[nn.Module]:
    modules: list[nn.Module] = []
    for name, module in block.named_modules():
        if name.endswith(ending):
            modules += list(module) if isinstance(module, nn.ModuleList) else [module]
    return modules


def _is_chosen(chosen: str | Sequence[Sequence[int]], block: int, index: int) -> bool:
    return chosen == "all" or [block, index] in [list(pair) for pair in chosen]
