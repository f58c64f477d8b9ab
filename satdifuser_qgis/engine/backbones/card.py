"""`satdifuser.json`: what a diffusers folder cannot say about a backbone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...protocol.errors import EngineError

FILE = "satdifuser.json"


@dataclass(frozen=True)
class Card:
    """A backbone's name and advice on its use.

    gsd_m: pixel sizes it was trained on, (low, high) in metres, or None. default_times: model times, ascending.
    default_streams: module paths, empty for the rule of its kind. prompt: the text that a latent model is asked with.
    unshuffle: of pixel-space models, how many image pixels a side become channels. default_extraction: what automatic
    extraction takes. clean_network: of pixel-space models, the subfolder whose network reads images without noise;
    "unet" where one network does both.
    """

    name: str
    revision: str = ""
    space: str = "latent"
    unshuffle: int = 1
    gsd_m: tuple[float, float] | None = None
    default_times: tuple[int, ...] = ()
    default_streams: tuple[str, ...] = ()
    prompt: str = "A satellite image"
    default_extraction: str = "noised"
    clean_network: str = "clean"


def read_card(folder: Path, space: str) -> Card:
    """The card of a folder, or one made from the folder's name where it has none. Raises EngineError("bad_model")."""
    path = folder / FILE
    if not path.is_file():
        return Card(name=_title(folder), space=space)
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("format") != 1 or data.get("space", space) != space:
        raise EngineError(
            "bad_model",
            f"{path} has format {data.get('format')!r} and space {data.get('space')!r}, but format 1 and a "
            f"{space} network are there.",
            "Update the plugin, or take the backbone's folder as it was published.",
        )
    times = tuple(sorted(int(time) for time in data.get("default_times", ())))
    if any(not 0 <= time < 1000 for time in times):
        raise ValueError(f"default_times are {times} but model times run from 0 to 999")
    extraction = str(data.get("default_extraction", Card.default_extraction))
    if extraction not in ("noised", "clean"):
        raise ValueError(f'default_extraction is "{extraction}" but must be noised or clean')
    clean_network = str(data.get("clean_network", Card.clean_network))
    if clean_network not in ("unet", "clean"):
        raise ValueError(f'clean_network is "{clean_network}" but must be unet or clean')
    gsd = data.get("gsd_m")
    return Card(
        name=str(data.get("name", _title(folder))),
        revision=str(data.get("revision", "")),
        space=space,
        unshuffle=int(data.get("unshuffle", 1)),
        gsd_m=(float(gsd[0]), float(gsd[1])) if gsd else None,
        default_times=times,
        default_streams=tuple(data.get("default_streams", ())),
        prompt=str(data.get("prompt", Card.prompt)),
        default_extraction=extraction,
        clean_network=clean_network,
    )


def _title(folder: Path) -> str:
    """A folder's name, with its parent's where it only says which of several it is, as DiffusionSat's do."""
    vague = folder.name.startswith(("resolution", "checkpoint-"))
    return f"{folder.parent.name}/{folder.name}" if vague else folder.name
