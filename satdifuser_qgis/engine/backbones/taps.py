"""Reading what modules inside a network put out, by forward hooks that never outlive the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn


class _Enough(Exception):  # noqa: N818 (a signal, not a failure)
    """Raised by the hook of the last module that is needed, so that the rest of the network is not computed."""


def tap(
    network: nn.Module, names: Sequence[str], call: Callable[[], Tensor], last: str | None = None
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Runs ``call`` and keeps the outputs of the named modules of ``network``.

    names: module paths. last: the one of them that runs last; the network is left there and its own output is
    None. Returns (what ``call`` returned, name → (B,C,h,w), in order of execution).
    Tokens (B,L,C) become maps by the height and width that entered the transformer around them, never by √L.
    """
    kept: dict[str, Tensor] = {}
    grids: dict[str, tuple[int, int]] = {}
    modules = dict(network.named_modules())
    with ExitStack() as hooks:
        for around in {_transformer_of(modules, name) for name in names} - {""}:
            handle = modules[around].register_forward_pre_hook(_note_grid(grids, around), with_kwargs=True)
            hooks.callback(handle.remove)
        for name in names:
            hook = _keep(kept, grids, name, _transformer_of(modules, name), name == last)
            hooks.callback(modules[name].register_forward_hook(hook).remove)
        try:
            return call(), kept
        except _Enough:
            return None, kept


def _transformer_of(modules: dict[str, nn.Module], name: str) -> str:
    """The path of the transformer that holds the module, or "" where none does."""
    while "." in name:
        name = name.rpartition(".")[0]
        if isinstance(modules[name], Transformer2DModel):
            return name
    return ""


def _note_grid(grids: dict[str, tuple[int, int]], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        entering = args[0] if args else kwargs["hidden_states"]
        grids[name] = (entering.shape[-2], entering.shape[-1])

    return hook


def _keep(
    kept: dict[str, Tensor], grids: dict[str, tuple[int, int]], name: str, around: str, stop: bool
) -> Callable[..., None]:
    def hook(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        kept[name] = _as_map(output, grids.get(around))
        if stop:
            raise _Enough

    return hook


def _as_map(output: Any, grid: tuple[int, int] | None) -> Tensor:
    """(B,C,h,w) from a module's output: a map, tokens (B,L,C), or a tuple that starts with one of them."""
    if isinstance(output, (tuple, list)):
        output = output[0]
    if isinstance(output, Tensor) and output.ndim == 4:
        return output
    if isinstance(output, Tensor) and output.ndim == 3 and grid is not None:
        batch, _, channels = output.shape
        return output.transpose(1, 2).reshape(batch, channels, *grid)
    raise ValueError("the module puts out neither a map nor the tokens of one")
