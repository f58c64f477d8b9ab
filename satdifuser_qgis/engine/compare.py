"""Our arithmetic against golden vectors: any folder whose manifest lists them, see `compare_reference`.

Everything that differs between such folders (sizes, names, steps, hyper-parameters) is read from the manifest;
every number is computed by the code that training and inference run.
"""

from __future__ import annotations

import copy
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from ..protocol.errors import EngineError
from .backbones import Backbone, Card, Scale
from .backbones.codecs import VaeCodec
from .backbones.metadata import metadata_from_weights
from .backbones.prompt import stored_prompt
from .backbones.schedule import read_schedule
from .backbones.taps import tap
from .backbones.weights import build_network, build_vae, read_config, read_weights, weight_files
from .decoder import Decoder, DecoderConfig
from .features.chain import Call, advance, published_inversion, published_noising
from .features.published import published_streams
from .raster.normalise import Scaling, scale

Pairs = Iterator[tuple[str, Tensor, Tensor]]
Entry = dict[str, Any]

FORMAT = "satdifuser-reference"
CPU = torch.device("cpu")
# The published code's names and the defaults of its constructors.
FUSIONS = {"gw": "global", "lw": "localized", "moe": "mixture"}
HEADS = {"classification": "linear", "segmentation": "upernet"}


@dataclass
class Reference:
    """A folder of golden vectors. Networks are built when an item first needs them."""

    folder: Path
    manifest: Entry
    _files: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def tensors(self, path: str) -> dict[str, Tensor]:
        """All tensors of one file."""
        if path not in self._files:
            self._files[path] = load_file(self.folder / path)
        return self._files[path]

    @cached_property
    def codec(self) -> VaeCodec:
        """The folder's autoencoder, with the latent scale that its manifest names."""
        parts = self.manifest["backbone"]
        return VaeCodec(build_vae(self.folder / parts["vae"]).eval(), parts.get("latent_scale"))

    @cached_property
    def backbone(self) -> Backbone:
        """The folder's network, asked with its stored prompt."""
        parts = self.manifest["backbone"]
        unet = self.folder / parts["unet"]
        network = build_network(read_config(unet), read_weights(weight_files(unet)), unet)
        schedule = read_schedule(self.folder / parts["scheduler"])
        return Backbone(network, self.codec, schedule, Card("reference"), CPU, self.prompt("cond"))

    def prompt(self, name: str) -> Tensor:
        """(1,L,C), the stored embedding called ``cond`` or ``uncond``."""
        parts = self.manifest["backbone"]
        keys = parts.get("prompt_keys", {})
        return stored_prompt(self.folder / parts["prompt_embeds"], (keys.get(name, name),))

    def case(self, name: str) -> Entry:
        """The manifest's entry of one extraction run."""
        return next(case for case in self.manifest["cases"] if case["name"] == name)


def compare_reference(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Compares every item of a reference folder and returns a report, ready for JSON.

    ``items``: {kind, name, ratio, tensor, tensors, ok, error}. ``ratio`` is the largest difference over the
    manifest's tolerance (1 is the limit; null where it could not be computed), ``tensor`` where it was. ``ok`` is
    true where all ratios are at most 1, every kind of item is known and there is at least one item.
    """
    root = Path(folder)
    problems: list[str] = []
    items: list[dict[str, Any]] = []
    try:
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        tolerance = (float(manifest["tolerance"]["atol"]), float(manifest["tolerance"]["rtol"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"folder": str(folder), "ok": False, "problems": [f"manifest.json: {error!r}"], "items": []}
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, 1):
        problems.append(f"format {manifest.get('format')!r} version {manifest.get('version')!r} is not {FORMAT!r} 1")
    reference = Reference(root, manifest)
    for kind, value in manifest.items():
        if kind in RUNNERS:
            entries = value if isinstance(value, list) else [value] if value else []
            items += [_compare(reference, kind, number, entry, tolerance) for number, entry in enumerate(entries)]
        elif _holds_items(kind, value):
            problems.append(f"items of the kind {kind!r} are not known; known are {', '.join(RUNNERS)}")
    if not items:
        problems.append("the manifest lists no item")
    ratios = [item["ratio"] for item in items if item["ratio"] is not None]
    return {
        "folder": str(folder),
        "name": manifest.get("name"),
        "ok": not problems and all(item["ok"] for item in items),
        "largest": max(ratios, default=None),
        "tolerance": {"atol": tolerance[0], "rtol": tolerance[1]},
        "problems": problems,
        "items": items,
    }


def main(folder: str | os.PathLike[str]) -> int:
    """Prints the report as one JSON object; 0 where all is within tolerance, else 1."""
    # The networks are tiny: more threads would only wait for one another.
    torch.set_num_threads(1)
    report = compare_reference(folder)
    sys.stdout.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
    return 0 if report["ok"] else 1


def _holds_items(kind: str, value: Any) -> bool:
    """Whether a manifest's key lists something to compare, rather than describing the folder."""
    if kind in ("made_with", "backbone", "tolerance", "files"):
        return False
    if isinstance(value, list):
        return any(isinstance(entry, (dict, list)) for entry in value)
    return isinstance(value, dict) and (
        any(key in value for key in ("file", "output_file", "expected"))
        or any(_holds_items("", part) for part in value.values())
    )


def _compare(
    reference: Reference, kind: str, number: int, entry: Entry, tolerance: tuple[float, float]
) -> dict[str, Any]:
    name = str(entry.get("name") or entry.get("image") or number)
    item: dict[str, Any] = {"kind": kind, "name": name, "ratio": None, "tensor": None, "tensors": 0, "ok": False}
    worst = -1.0
    try:
        with torch.no_grad():
            for label, ours, theirs in RUNNERS[kind](reference, entry):
                found = _ratio(ours, theirs, *tolerance)
                item["tensors"] += 1
                if not math.isfinite(found):
                    raise ValueError(f"{label} differs by {found}")
                if found > worst:
                    worst, item["ratio"], item["tensor"] = found, found, label
        if not item["tensors"]:
            raise ValueError("the item lists nothing to compare")
        item["ok"] = 0 <= worst <= 1
    except (EngineError, OSError, RuntimeError, ValueError, KeyError, TypeError, StopIteration, IndexError) as error:
        # One item that cannot be computed must not hide the others.
        item |= {"ratio": None, "error": f"{type(error).__name__}: {error}"}
    return item


def _ratio(ours: Tensor, theirs: Tensor, atol: float, rtol: float) -> float:
    """max|a-b| over (atol + rtol·max|b|): 1 is the limit."""
    ours, theirs = ours.double(), theirs.double()
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes differ: {tuple(ours.shape)} is not {tuple(theirs.shape)}")
    if not ours.numel():
        return 0.0
    difference, limit = float((ours - theirs).abs().max()), atol + rtol * float(theirs.abs().max())
    return difference / limit if limit else (0.0 if difference == 0 else math.inf)


def _preprocessing(reference: Reference, entry: Entry) -> Pairs:
    tensors = reference.tensors(entry["file"])
    raw = tensors[entry.get("input", "raw")].float().numpy()
    bands = raw.shape[1]
    # Nothing to divide by means values that are 0 to 1 already.
    scaling = Scaling("divisor", (0.0,) * bands, (float(entry.get("value_max") or 1.0),) * bands)
    scaled = [scale(image, np.ones(image.shape[1:], bool), scaling) for image in raw]
    images = torch.from_numpy(np.stack(scaled)).clamp(-1.0, 1.0)
    size = tuple(entry["size"])
    if images.shape[-2:] != size:
        images = functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
    for key in _names(entry.get("expected", "image")):
        yield key, images, tensors[key]


def _vae(reference: Reference, entry: Entry) -> Pairs:
    tensors = reference.tensors(entry["file"])
    images, codec = tensors[entry.get("input", "image")], reference.codec
    noise = tensors[entry.get("noise", "posterior_noise")]
    mean, logvar = codec.posterior(images)
    ours = {
        "posterior_mean": mean,
        "posterior_logvar": logvar,
        "latents_sampled": codec.encode(images, noise),
        "latents_mode": codec.encode(images),
    }
    for key in _names(entry["expected"]):
        yield key, ours[key], tensors[key]


def _case(reference: Reference, entry: Entry) -> Pairs:
    """The whole run on our own states first, then every call alone on the stored states."""
    tensors, switches = reference.tensors(entry["file"]), entry["switches"]
    network = reference.backbone.network
    names = published_streams(network, switches["layer_idxs"])
    listed = {stream["name"]: stream for stream in entry["streams"]}
    if set(names) != set(listed):
        raise ValueError(f"streams differ: {sorted(set(names) ^ set(listed))}")
    calls = _published_calls(reference, switches)
    yield from _schedule_pairs(calls, entry)
    for alone in (False, True):
        ours = _run(reference, calls, switches, names, tensors, alone)
        missing = set(tensors) - set(ours) - {"latents_in", "noise"}
        if missing:
            raise ValueError(f"not computed: {sorted(missing)}")
        for key in sorted(set(ours) & set(tensors)):
            yield f"{key} (call alone)" if alone else key, ours[key], tensors[key]
        first = next(k for (_, k), call in calls.items() if call.keep)
        if not alone and entry.get("pyramid", True):
            maps = {name: ours[f"k{first:02d}/{name}"] for name in names}
            widths = sorted({value.shape[-1] for value in maps.values()}, reverse=True)
            for key, found in (
                ("scale", {name: widths.index(value.shape[-1]) for name, value in maps.items()}),
                ("channels", {name: value.shape[1] for name, value in maps.items()}),
            ):
                theirs = torch.tensor([listed[name][key] for name in names])
                yield f"streams/{key}", torch.tensor([found[name] for name in names]), theirs


def _published_calls(reference: Reference, switches: Entry) -> dict[tuple[int, int], Call]:
    schedule, steps, kept = reference.backbone.schedule, switches["num_timesteps"], switches["save_timesteps"]
    if switches["diffusion_mode"] != "inversion":
        return published_noising(schedule, steps, kept)
    return published_inversion(schedule, steps, kept, switches.get("min_i") or 0, switches.get("max_i"))


def _schedule_pairs(calls: dict[tuple[int, int], Call], entry: Entry) -> Pairs:
    """Times and noise levels that the manifest lists, against ours."""
    ours = [
        {"i": i, "k": k, "t": c.time, "alpha_bar": c.alpha, "alpha_bar_next": c.alpha_next, "saved": c.keep}
        for (i, k), c in calls.items()
    ]
    for key in ours[0]:
        if all(key in step for step in entry.get("steps", ())):
            theirs = torch.tensor([float(step[key]) for step in entry.get("steps", ())])
            yield f"steps/{key}", torch.tensor([float(step[key]) for step in ours]), theirs
    if "num_unet_calls" in entry:
        guided = entry["switches"].get("guidance_scale", -1) != -1
        yield "num_unet_calls", torch.tensor(len(calls) * (1 + guided)), torch.tensor(entry["num_unet_calls"])


def _run(
    reference: Reference,
    calls: dict[tuple[int, int], Call],
    switches: Entry,
    names: list[str],
    stored: dict[str, Tensor],
    alone: bool,
) -> dict[str, Tensor]:
    """Every tensor of an extraction run under its published key."""
    backbone, guidance = reference.backbone, switches.get("guidance_scale", -1)
    size = switches.get("resize_outputs") or -1
    ours: dict[str, Tensor] = {}
    x = stored["latents_in"]
    if switches["diffusion_mode"] != "inversion":
        alpha = next(iter(calls.values())).alpha
        x = math.sqrt(alpha) * x + math.sqrt(1.0 - alpha) * stored["noise"]
    for (i, k), call in calls.items():
        step, x = f"step{i:02d}", stored[f"step{i:02d}/x"] if alone else x
        times = torch.full((len(x),), float(call.time))
        output, maps = tap(backbone.network, names, partial(backbone.denoise, x, times))
        if output is None:
            raise ValueError("the network ended early")
        ours |= {f"{step}/x": x, f"{step}/eps_cond": output}
        if guidance != -1:
            other = backbone.denoise(x, times, prompt=reference.prompt("uncond"))
            ours[f"{step}/eps_uncond"] = other
            output = other + guidance * (output - other)
        made = advance(call, x, output, "epsilon")
        x = ours[f"{step}/x_next"] = made.x_next
        if call.keep:
            ours[f"k{k:02d}/x0_pred"] = made.clean
            ours |= {f"k{k:02d}/{name}": _resized(value, size) for name, value in maps.items()}
    return ours


def _resized(maps: Tensor, size: int) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False) if size > 0 else maps


def _satunet(reference: Reference, entry: Entry) -> Pairs:
    tensors, plain = reference.tensors(entry["file"]), reference.backbone
    network = copy.deepcopy(plain.network)
    metadata = metadata_from_weights(tensors, network.config.block_out_channels[0], network.time_proj)
    backbone = Backbone(network, plain.codec, plain.schedule, plain.card, CPU, plain.prompt, metadata)
    x, numbers = tensors["x"], tensors["metadata"]
    times = torch.as_tensor(entry["t"], dtype=torch.float32).expand(len(x))
    numbers = numbers.expand(len(x), -1)
    inputs = {"out_metadata": numbers, "out_zero_metadata": torch.zeros_like(numbers), "out_no_metadata": None}
    for key in _names(entry["expected"]):
        yield key, backbone.denoise(x, times, inputs[key]), tensors[key]


def _decoder(reference: Reference, entry: Entry) -> Pairs:
    case, steps = reference.case(entry["case"]), sorted(entry["saved_k"], reverse=True)
    scales = _scales(case)
    decoder = Decoder(_decoder_config(entry, scales, len(steps))).eval()
    decoder.fuser.load_state_dict(reference.tensors(entry["fuser_state"]), strict=True)
    decoder.head.load_state_dict(reference.tensors(entry["head_state"]), strict=True)
    stored = reference.tensors(case["file"])
    pyramid = [
        torch.stack([torch.cat([stored[f"k{k:02d}/{name}"] for name in scale.streams], dim=1) for k in steps], dim=1)
        for scale in scales
    ]
    fused = decoder.fuser(pyramid)
    ours = {f"fused{number}": value for number, value in enumerate(fused.maps)}
    ours |= {key.replace("gate", "gating"): value for key, value in fused.weights.items()}
    if "mixing" in fused.weights:
        ours["mixing_softmax"] = fused.weights["mixing"]
    if "divergence" in fused.weights:
        # The published value has the sign turned and counts the last scale alone, over all scales and steps.
        table = fused.weights["divergence"]
        ours["lb_loss"] = -table[-1].sum() / table.numel()
    height, width = entry["output_shape"] or (1, 1)
    ours["logits"] = decoder.head(fused.maps, (int(height), int(width)))
    expected = reference.tensors(entry["output_file"])
    for key in _names(entry["expected"]):
        yield key, ours[key].reshape(expected[key].shape) if key == "lb_loss" else ours[key], expected[key]


def _scales(case: Entry) -> tuple[Scale, ...]:
    """The streams of a case by scale, in the order of the published concatenation."""
    if not case.get("pyramid", True):
        raise ValueError(f"the features of case {case['name']!r} form no pyramid, which fusers need")
    streams = sorted(case["streams"], key=lambda stream: (stream["scale"], stream["offset"]))
    groups = [[s for s in streams if s["scale"] == number] for number in range(streams[-1]["scale"] + 1)]
    return tuple(
        Scale(2**number, tuple(s["name"] for s in group), tuple(s["channels"] for s in group))
        for number, group in enumerate(groups)
    )


def _decoder_config(entry: Entry, scales: tuple[Scale, ...], steps: int) -> DecoderConfig:
    """Our configuration for published constructor values; absent ones have the published defaults."""
    hyper, count = entry["hyper"], len(scales)
    mode = str(entry.get("moe_mode") or ("sparse" if hyper.get("warmup_steps") == 0 else "dense"))
    return DecoderConfig(
        fusion=FUSIONS[entry["fuser"]],
        head=HEADS[entry["task"]],
        scales=scales,
        times=tuple(range(steps)),
        classes=hyper["num_classes"],
        width=hyper.get("projection_dim", 384),
        groups=hyper.get("num_norm_groups", 32),
        blocks=hyper.get("num_res_blocks", 1),
        temperature=float(hyper.get("gating_tempature", 1.0)),
        slicing=entry.get("channel_slicing") or "published",
        mode="dense" if mode.startswith("dense") else "sparse",
        experts=hyper.get("num_experts", 8),
        top_k=hyper.get("top_k", 2),
        head_channels=hyper.get("channels", 512),
        norm="batch",
        # Published: both lists are cut to the number of scales, though only the second belongs to scales.
        pool_scales=tuple(hyper.get("pool_scales", (1, 2, 3, 6)))[:count],
        rescales=tuple(float(r) for r in hyper.get("rescales", (1, 1, 1, 1)))[:count],
        align_corners=bool(hyper.get("align_corners", False)),
    )


def _names(expected: str | list[str]) -> list[str]:
    return [expected] if isinstance(expected, str) else list(expected)


RUNNERS = {
    "preprocessing": _preprocessing,
    "vae": _vae,
    "cases": _case,
    "satunet_metadata": _satunet,
    "decoders": _decoder,
}
