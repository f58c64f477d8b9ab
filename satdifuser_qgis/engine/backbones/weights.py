"""Weights and networks from diffusers folders, by class names that we know and never by code from the folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor

from ...protocol.errors import EngineError

STEM = "diffusion_pytorch_model"
# SatUNet is UNet2DConditionModel plus the metadata networks, which are split off before loading.
NETWORKS = {"UNet2DModel": UNet2DModel, "UNet2DConditionModel": UNet2DConditionModel, "SatUNet": UNet2DConditionModel}
NOT_OURS = ("use_metadata", "num_metadata")


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of one component. Raises EngineError("bad_model")."""
    path = folder / "config.json"
    if not path.is_file():
        raise EngineError("bad_model", f"{path} is missing.", "Choose a whole folder in diffusers layout.")
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise EngineError("bad_model", f"{path} does not describe a network.", "Download the backbone again, whole.")
    return found


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold a component's weights, safetensors before .bin. Raises EngineError("bad_model")."""
    for suffix in (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin"):
        path = folder / f"{STEM}{suffix}"
        if path.is_file():
            return (path,)
        index = folder / f"{STEM}{suffix}.index.json"
        if index.is_file():
            parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            return tuple(folder / Path(part).name for part in sorted(set(parts)))
    raise EngineError(
        "bad_model",
        f"{folder} holds no weights ({STEM}.safetensors or {STEM}.bin).",
        "Download the backbone again, with its large files.",
    )


def read_weights(files: Iterable[Path]) -> dict[str, Tensor]:
    """All tensors, float ones as float32, on the CPU. Raises EngineError("bad_model")."""
    found: dict[str, Tensor] = {}
    for path in files:
        try:
            # weights_only: a .bin is a pickle, and only tensors may come out of it.
            part = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        except Exception as error:
            raise EngineError(
                "bad_model", f"The weights in {path} cannot be read.", "Download the file again.", repr(error)
            ) from error
        part = {key: value.float() if value.is_floating_point() else value for key, value in part.items()}
        broken = [key for key, value in part.items() if value.is_floating_point() and not value.sum().isfinite()]
        if broken:
            raise EngineError(
                "bad_model",
                f"The weights in {path} are damaged: {broken[0]} holds values that are no numbers.",
                "Download the file again.",
            )
        found |= part
    return found


def network_class(config: dict[str, Any], where: Path) -> Any:
    """The class that a config names. Raises EngineError("bad_model") for any but those of `NETWORKS`."""
    kind = str(config.get("_class_name", ""))
    if kind not in NETWORKS:
        raise EngineError(
            "bad_model",
            f"The network in {where} is {f'a {kind}' if kind else 'of no class'}, which is not known.",
            f"Known are {', '.join(NETWORKS)}.",
        )
    return NETWORKS[kind]


def build_network(config: dict[str, Any], weights: dict[str, Tensor], where: Path) -> Any:
    """The U-Net of a config, with exactly these weights. Raises EngineError("bad_model").

    Of class labels only the pixel size of a pixel-space network is known ("timestep", metres times 1000).
    """
    sized = config.get("class_embed_type") == "timestep" and network_class(config, where) is UNet2DModel
    if (
        (config.get("class_embed_type") and not sized)
        or config.get("num_class_embeds")
        or config.get("addition_embed_type")
    ):
        raise EngineError(
            "bad_model",
            f"The network in {where} wants class labels or other additions beside the image.",
            "Choose a backbone that is conditioned on text and metadata only, or on nothing.",
        )
    return _filled(network_class(config, where), config, weights, where)


def build_vae(folder: Path) -> Any:
    """The autoencoder of a folder; the attention names of old diffusers versions are translated."""
    weights = {_new_name(key): value for key, value in read_weights(weight_files(folder)).items()}
    return _filled(AutoencoderKL, read_config(folder), weights, folder)


def _new_name(key: str) -> str:
    old = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    return re.sub(r"(attentions\.\d+\.)(query|key|value|proj_attn)\.", lambda m: f"{m[1]}{old[m[2]]}.", key)


def _filled(kind: Any, config: dict[str, Any], weights: dict[str, Tensor], where: Path) -> Any:
    known = {key: value for key, value in config.items() if not key.startswith("_") and key not in NOT_OURS}
    try:
        # On "meta" nothing is drawn at random first: that alone costs 10 s for a network of SD's size.
        with torch.device("meta"):
            network: Any = kind.from_config(known)
        network.load_state_dict(weights, strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise EngineError(
            "bad_model",
            f"The weights in {where} do not fit its config.json.",
            "Take config.json and weights from the same backbone.",
            str(error),
        ) from error
    return network.float()
