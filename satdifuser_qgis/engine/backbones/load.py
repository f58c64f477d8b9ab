"""Backbones from folders: ours, diffusers' and DiffusionSat's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ...protocol.errors import EngineError
from ...protocol.folders import shipped_models
from .backbone import Backbone
from .card import Card, read_card
from .codecs import PixelCodec, VaeCodec
from .metadata import PREFIX, metadata_from_weights
from .prompt import find_prompt
from .schedule import Schedule, read_schedule
from .weights import NETWORKS, build_network, build_vae, network_class, read_config, read_weights, weight_files

EMBEDDED = "compact-s2-rgb"


def load_backbone(ref: str, device: torch.device) -> Backbone:
    """The backbone in a folder, or shipped under a name; "" is the embedded one. Raises EngineError("bad_model").

    Folders are diffusers': ``unet`` and ``scheduler``, and ``vae`` for latent models. DiffusionSat's are searched
    for ``resolution*`` and ``checkpoint-*/unet``; its metadata networks are kept.
    """
    with _said_of(ref or EMBEDDED):
        folder, unet = find_folder(ref)
        config = read_config(unet)
        load = _load_pixel if network_class(config, unet) is NETWORKS["UNet2DModel"] else _load_latent
        return load(folder, unet, device)


@contextmanager
def _said_of(ref: str) -> Iterator[None]:
    """Turns what JSON files that are none, or hold values that cannot be, raise into EngineError("bad_model")."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineError(
            "bad_model",
            f"The JSON files of the backbone {ref} do not describe one: {first.rstrip('.')}.",
            "Take the backbone's folder as it was published.",
        ) from error


def find_folder(ref: str) -> tuple[Path, Path]:
    """(the model's folder, its U-Net's folder). Raises EngineError("bad_model")."""
    folder = Path(ref).expanduser() if ref else shipped_models() / EMBEDDED
    if not folder.is_dir():
        folder = shipped_models() / ref
    if not folder.is_dir():
        shipped = sorted(path.parent.name for path in shipped_models().glob("*/satdifuser.json"))
        raise EngineError(
            "bad_model",
            f'There is no backbone "{ref or EMBEDDED}": it is no folder and none that comes with the plugin.',
            f"Choose a folder in diffusers layout, or one of: {', '.join(shipped) or 'none is shipped here'}.",
        )
    # DiffusionSat publishes a folder per image size; the smaller one is the cheaper one.
    sized = sorted(folder.glob("resolution*"), key=_number)
    if sized and not (folder / "unet").is_dir():
        folder = sized[0]
    return folder, _find_unet(folder)


def _find_unet(folder: Path) -> Path:
    """``unet``, else the newest ``checkpoint-*/unet``; a SatUNet in a checkpoint goes before a plain ``unet``."""
    candidates = [folder / "unet", *sorted(folder.glob("checkpoint-*/unet"), key=_number, reverse=True)]
    candidates = [path for path in candidates if (path / "config.json").is_file()]
    if not candidates:
        raise EngineError(
            "bad_model",
            f"{folder} holds no network: neither unet/config.json nor checkpoint-*/unet/config.json is there.",
            "Choose the folder that holds model_index.json.",
        )
    trained = [path for path in candidates if read_config(path).get("_class_name") == "SatUNet"]
    return (trained or candidates)[0]


def _number(path: Path) -> int:
    digits = re.findall(r"\d+", path.name if path.name != "unet" else path.parent.name)
    return int(digits[-1]) if digits else 0


def _load_pixel(folder: Path, unet: Path, device: torch.device) -> Backbone:
    latent = next((name for name in ("vae", "vqvae") if (folder / name).is_dir()), "")
    if latent:
        raise EngineError(
            "bad_model",
            f"The network in {unet} is a UNet2DModel for the latents of the autoencoder in {folder / latent}; of that "
            "kind only networks in pixel space can be used.",
            "Choose a folder with a UNet2DConditionModel and its autoencoder, or a UNet2DModel alone.",
        )
    card, schedule = read_card(folder, "pixel"), read_schedule(folder / "scheduler")
    clean = unet if card.clean_network == "unet" else folder / card.clean_network

    def load_clean() -> Backbone:
        with _said_of(str(clean)):
            return _pixel_backbone(clean, card, schedule, device)

    return _pixel_backbone(unet, card, schedule, device, load_clean if (clean / "config.json").is_file() else None)


def _pixel_backbone(
    unet: Path,
    card: Card,
    schedule: Schedule,
    device: torch.device,
    load_clean: Callable[[], Backbone] | None = None,
) -> Backbone:
    files = weight_files(unet)
    network = build_network(read_config(unet), read_weights(files), unet)
    codec = PixelCodec(card.unshuffle)
    if codec.channels != network.config.in_channels:
        raise EngineError(
            "bad_model",
            f"The network in {unet} takes {network.config.in_channels} channels, but an image of 3 bands folded by "
            f"{card.unshuffle} has {codec.channels}.",
            'Set "unshuffle" in satdifuser.json to the value it was trained with.',
        )
    return Backbone(network, codec, schedule, card, device, weight_files=files, load_clean=load_clean)


def _load_latent(folder: Path, unet: Path, device: torch.device) -> Backbone:
    # A checkpoint holds only the U-Net; the rest lies in the folder around it.
    around = tuple(dict.fromkeys((folder, unet.parent, folder.parent)))
    home = next((path for path in around if (path / "vae" / "config.json").is_file()), folder)
    card = read_card(folder, "latent")
    files = weight_files(unet)
    weights, config = read_weights(files), read_config(unet)
    plain = {key: value for key, value in weights.items() if not key.startswith(PREFIX)}
    network = build_network(config, plain, unet)
    metadata = None
    if len(plain) == len(weights) and config.get("use_metadata", config.get("_class_name") == "SatUNet"):
        raise EngineError(
            "bad_model",
            f"The network in {unet} was trained with metadata, but its weights for them ({PREFIX}*) are missing.",
            "Take the weights as they were published; they were probably saved again by a program that drops them.",
        )
    if len(plain) < len(weights):
        metadata = metadata_from_weights(weights, network.config.block_out_channels[0], network.time_proj)
    vae = home / "vae"
    codec = VaeCodec(build_vae(vae))
    if codec.channels != network.config.in_channels:
        raise EngineError(
            "bad_model",
            f"The network in {unet} takes {network.config.in_channels} channels, but the autoencoder beside it makes "
            f"{codec.channels}.",
            "Choose a folder of a network that makes images; one that fills holes, for instance, takes more channels.",
        )
    return Backbone(
        network,
        codec,
        read_schedule(home / "scheduler"),
        card,
        device,
        prompt=find_prompt(around, card.prompt),
        metadata=metadata,
        weight_files=(*files, *weight_files(vae)),
    )
