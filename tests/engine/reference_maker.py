"""A reference folder with other hyper-parameters, made without a line of the code under test.

Straightforward formulas on top of diffusers: its scheduler's times and noise levels, plain hooks, and fusers and
heads as functions of a state dict. Nothing is trained; all weights are random.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

WIDTHS = (8, 16, 16)
GROUPS, WIDTH, BLOCKS, CHANNELS, CLASSES = 2, 24, 2, 12, 7
POOLS, RESCALES = [1, 2, 3, 6], [2, 1, 0.5, 1]
STEPS, KEPT = 25, [23, 21]
SIZE, BATCH = (8, 12), 2

State = dict[str, Tensor]


def make(folder: Path) -> dict[str, Any]:
    """Writes the folder and returns its manifest."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    for part in ("backbone", "cases", "decoders"):
        (folder / part).mkdir(parents=True)
    unet, vae, scheduler = write_backbone(folder / "backbone")
    manifest: dict[str, Any] = {
        "format": "satdifuser-reference",
        "version": 1,
        "name": "variant",
        "made_with": {"published": "formulas of the test"},
        "backbone": {
            "unet": "backbone/unet",
            "vae": "backbone/vae",
            "scheduler": "backbone/scheduler",
            "prompt_embeds": "backbone/prompt.safetensors",
            "prompt_keys": {"cond": "text"},
            "vae_factor": 4,
            "latent_scale": 0.5,
        },
        "tolerance": {"atol": 2e-5, "rtol": 2e-4},
        "stubs": ["none"],
    }
    manifest |= {"preprocessing": [_image(folder)], "vae": [_latents(folder, vae)]}
    manifest["cases"] = [
        _case(folder, "chain", unet, scheduler, STEPS, KEPT, "inversion"),
        _case(folder, "fine", unet, scheduler, 100, [97], "inversion", max_i=4),
        _case(folder, "noised", unet, scheduler, STEPS, [20], "one-shot"),
    ]
    manifest["decoders"] = [_decoder(folder, *kinds) for kinds in DECODERS]
    manifest["satunet_metadata"] = _metadata(folder, unet)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


DECODERS = [
    ("gw", "segmentation", None, None),
    ("lw", "segmentation", "corrected", None),
    ("lw", "classification", "published", None),
    ("moe", "segmentation", None, "sparse top-k"),
    ("moe", "classification", None, "dense (warm-up)"),
]


def write_backbone(folder: Path) -> tuple[Any, Any, Any]:
    """Random U-Net and autoencoder, and their scheduler, written as a latent backbone and given."""
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=2,
        cross_attention_dim=10,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=4,
        latent_channels=4,
    ).eval()
    scheduler = DDIMScheduler(beta_schedule="linear", steps_offset=0, prediction_type="v_prediction")
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    scheduler.save_pretrained(folder / "scheduler")
    save_file({"text": torch.randn(1, 5, 10)}, folder / "prompt.safetensors")
    return unet, vae, scheduler


def _image(folder: Path) -> dict[str, Any]:
    raw = torch.randint(0, 4000, (BATCH, 3, 40, 44)).float()
    image = functional.interpolate((raw / 3000).clamp(0, 1), size=(32, 48), mode="bilinear", antialias=True) * 2 - 1
    save_file({"raw": raw, "image": image}, folder / "cases/image.safetensors")
    return {
        "image": "odd", "file": "cases/image.safetensors", "input": "raw", "expected": "image",
        "value_max": 3000, "size": [32, 48],
    }  # fmt: skip


@torch.no_grad()
def _latents(folder: Path, vae: Any) -> dict[str, Any]:
    image, noise = torch.rand(BATCH, 3, 32, 48) * 2 - 1, torch.randn(BATCH, 4, *SIZE)
    mean, logvar = vae.quant_conv(vae.encoder(image)).chunk(2, dim=1)
    file = {
        "image": image,
        "noise": noise,
        "posterior_mean": mean,
        "posterior_logvar": logvar,
        "latents_sampled": (mean + (logvar / 2).exp() * noise) * 0.5,
        "latents_mode": mean * 0.5,
    }
    save_file({key: value.clone().contiguous() for key, value in file.items()}, folder / "cases/latents.safetensors")
    return {
        "image": "odd", "file": "cases/latents.safetensors", "input": "image", "noise": "noise",
        "expected": [key for key in file if key not in ("image", "noise")],
    }  # fmt: skip


# Every stream of the up blocks: (module path, published name), in the published order, with its scale.
STREAMS = [
    (f"up_blocks.{block}.attentions.{j}.transformer_blocks.0.attn1" if kind == "attn1"
     else f"up_blocks.{block}.resnets.{j}.conv2", f"up_blocks_{block}_{kind}_{j}", 2 - block)
    for block in (0, 1, 2) for kind in ("attn1", "conv2") for j in (0, 1) if kind == "conv2" or block < 2
]  # fmt: skip


@torch.no_grad()
def _case(
    folder: Path, name: str, unet: Any, scheduler: Any, steps: int, kept: list[int], mode: str, **switches: int
) -> dict[str, Any]:
    text = load_file(folder / "backbone/prompt.safetensors")["text"].expand(BATCH, -1, -1)
    scheduler.set_timesteps(steps)
    rising = scheduler.timesteps.flip(0).tolist()
    bars = {-1: 1.0} | {t: float(scheduler.alphas_cumprod[t]) for t in rising}
    clean = torch.randn(BATCH, 4, *SIZE)
    file: State = {"latents_in": clean}
    if mode == "inversion":
        end = switches.get("max_i", steps - min(kept))
        walk = [(i, steps - 1 - i, ([-1, *rising])[i], rising[i]) for i in range(end)]
        x = clean
    else:
        k = min(kept)
        t = rising[steps - 1 - k]
        walk = [(k, k, t, rising[steps - 2 - k])]
        file["noise"] = torch.randn(clean.shape)
        x = bars[t] ** 0.5 * clean + (1 - bars[t]) ** 0.5 * file["noise"]
    listed, shapes = [], {}
    for i, k, t, after in walk:
        maps: State = {}
        hooks = [
            unet.get_submodule(path).register_forward_hook(lambda _m, _i, out, p=path, m=maps: m.__setitem__(p, out))
            for path, _, _ in STREAMS
        ]
        eps = unet(x, torch.full((BATCH,), float(t)), encoder_hidden_states=text).sample
        for hook in hooks:
            hook.remove()
        predicted = (x - (1 - bars[t]) ** 0.5 * eps) / bars[t] ** 0.5
        following = bars[after] ** 0.5 * predicted + (1 - bars[after]) ** 0.5 * eps
        file |= {f"step{i:02d}/x": x, f"step{i:02d}/eps_cond": eps, f"step{i:02d}/x_next": following}
        if k in kept:
            file[f"k{k:02d}/x0_pred"] = predicted
            for path, _, scale in STREAMS:
                out, (h, w) = maps[path], (SIZE[0] // 2**scale, SIZE[1] // 2**scale)
                out = out.permute(0, 2, 1).reshape(BATCH, -1, h, w) if out.ndim == 3 else out
                file[f"k{k:02d}/{path}"], shapes[path] = out, tuple(out.shape[1:])
        listed.append({"i": i, "k": k, "t": t, "alpha_bar": bars[t], "alpha_bar_next": bars[after], "saved": k in kept})
        x = following
    save_file({key: value.clone().contiguous() for key, value in file.items()}, folder / f"cases/{name}.safetensors")
    offsets = dict.fromkeys(range(3), 0)
    streams = []
    for scale in (0, 1, 2):
        for path, label, own in STREAMS:
            if own == scale:
                c, h, w = shapes[path]
                streams.append(
                    {"name": path, "published_name": label, "channels": c, "size": [h, w], "scale": scale,
                     "offset": offsets[scale]}
                )  # fmt: skip
                offsets[scale] += c
    return {
        "name": name, "file": f"cases/{name}.safetensors", "num_unet_calls": len(walk), "steps": listed,
        "saved_k": sorted((k for k in kept), reverse=True), "pyramid": True, "streams": streams,
        "switches": {
            "diffusion_mode": mode, "num_timesteps": steps, "save_timesteps": kept,
            "layer_idxs": {"up_blocks": {"attn1": "all", "conv2": [[b, j] for b in range(3) for j in range(2)]}},
            **switches,
        },
    }  # fmt: skip


def _norm(state: State, key: str, x: Tensor) -> Tensor:
    return functional.group_norm(x, GROUPS, state[f"{key}.norm.weight"], state[f"{key}.norm.bias"])


def _phi(state: State, key: str, x: Tensor) -> Tensor:
    """The published bottleneck, block after block."""
    for block in range(BLOCKS):
        p = f"{key}.{block}"
        y = functional.relu(_norm(state, f"{p}.conv1", functional.conv2d(x, state[f"{p}.conv1.weight"])))
        y = functional.relu(_norm(state, f"{p}.conv2", functional.conv2d(y, state[f"{p}.conv2.weight"], padding=1)))
        y = _norm(state, f"{p}.conv3", functional.conv2d(y, state[f"{p}.conv3.weight"]))
        if f"{p}.shortcut.weight" in state:
            x = _norm(state, f"{p}.shortcut", functional.conv2d(x, state[f"{p}.shortcut.weight"]))
        x = functional.relu(x + y)
    return x


def _phi_state(state: State, key: str, channels: int) -> None:
    for block in range(BLOCKS):
        size = channels if block == 0 else WIDTH
        shapes = {"conv1": (WIDTH // 4, size, 1, 1), "conv2": (WIDTH // 4, WIDTH // 4, 3, 3)}
        shapes["conv3"] = (WIDTH, WIDTH // 4, 1, 1)
        if size != WIDTH:
            shapes["shortcut"] = (WIDTH, size, 1, 1)
        for part, shape in shapes.items():
            state[f"{key}.{block}.{part}.weight"] = torch.randn(shape) * 0.4
            state[f"{key}.{block}.{part}.norm.weight"] = torch.rand(shape[0]) + 0.5
            state[f"{key}.{block}.{part}.norm.bias"] = torch.randn(shape[0]) * 0.1


def _features(folder: Path) -> tuple[list[list[list[Tensor]]], list[list[str]]]:
    """[scale][step][stream] maps of the chain, least noise first, and the streams' names by scale."""
    file = load_file(folder / "cases/chain.safetensors")
    names = [[path for path, _, own in STREAMS if own == scale] for scale in range(3)]
    return [[[file[f"k{k}/{n}"] for n in group] for k in sorted(KEPT, reverse=True)] for group in names], names


def _decoder(folder: Path, fuser: str, task: str, slicing: str | None, mode: str | None) -> dict[str, Any]:
    features, _ = _features(folder)
    state: State = {}
    out: State = {}
    temperature = 0.7
    if fuser == "moe":
        maps = _mixture(features, state, out, str(mode))
    else:
        maps = _weighted(features, state, out, fuser, slicing, temperature)
    head: State = {}
    hyper: dict[str, Any] = {
        "projection_dim": WIDTH, "num_norm_groups": GROUPS, "num_res_blocks": BLOCKS, "num_classes": CLASSES
    }  # fmt: skip
    if fuser == "lw":
        hyper["gating_tempature"] = temperature
    if fuser == "moe":
        hyper |= {"num_experts": 3, "top_k": 2}
    if task == "segmentation":
        hyper |= {"channels": CHANNELS, "pool_scales": POOLS, "rescales": RESCALES}
        out["logits"] = _upernet(maps, head, (30, 50))
    else:
        head |= {"decoder_head.2.weight": torch.randn(CLASSES, WIDTH), "decoder_head.2.bias": torch.randn(CLASSES)}
        total = sum(_resize(m, maps[0].shape[-2:]) for m in maps)
        out["logits"] = total.mean((2, 3)) @ head["decoder_head.2.weight"].T + head["decoder_head.2.bias"]
    out |= {f"fused{number}": m for number, m in enumerate(maps)}
    name = f"{fuser}_{task}"
    paths = {part: f"decoders/{part}_{name}.safetensors" for part in ("fuser", "head", "out")}
    for part, tensors in (("fuser", state), ("head", head), ("out", out)):
        save_file({key: value.clone().contiguous() for key, value in tensors.items()}, folder / paths[part])
    return {
        "name": name, "task": task, "fuser": fuser, "case": "chain", "saved_k": sorted(KEPT, reverse=True),
        "fuser_state": paths["fuser"], "head_state": paths["head"], "output_file": paths["out"], "hyper": hyper,
        "channel_slicing": slicing, "moe_mode": mode, "expected": list(out),
        "output_shape": [30, 50] if task == "segmentation" else None,
    }  # fmt: skip


def _weighted(
    features: list[list[list[Tensor]]], state: State, out: State, fuser: str, slicing: str | None, temperature: float
) -> list[Tensor]:
    number = 0
    projected: list[list[list[Tensor]]] = []
    for steps in features:
        first = number
        for place, one in enumerate(steps[0]):
            _phi_state(state, f"bottleneck_layers.{first + place}", one.shape[1])
        number += len(steps[0])
        whole = [torch.cat(streams, 1) for streams in steps]
        read = [[x[:, : s.shape[1]] for s in streams] for x, streams in zip(whole, steps)]
        used = read if slicing == "published" else steps
        projected.append(
            [[_phi(state, f"bottleneck_layers.{first + p}", s) for p, s in enumerate(streams)] for streams in used]
        )
    if fuser == "gw":
        state["mixing_weights"] = torch.randn(len(KEPT) * number)
        out["mixing_softmax"] = state["mixing_weights"].softmax(0)
        maps, first = [], 0
        for steps in projected:
            pairs = [(t * number + first + p, m) for t, streams in enumerate(steps) for p, m in enumerate(streams)]
            maps.append(sum(out["mixing_softmax"][at] * m for at, m in pairs))
            first += len(steps[0])
        return maps
    maps = []
    for scale, steps in enumerate(projected):
        flat = [m for streams in steps for m in streams]
        state[f"gate_modules.{scale}.gate_conv.weight"] = torch.randn(len(flat), WIDTH, 1, 1)
        state[f"gate_modules.{scale}.gate_conv.bias"] = torch.randn(len(flat))
        logits = functional.conv2d(
            sum(flat) / len(flat),
            state[f"gate_modules.{scale}.gate_conv.weight"],
            state[f"gate_modules.{scale}.gate_conv.bias"],
        )
        out[f"gating{scale}"] = (logits / temperature).softmax(1)
        maps.append(sum(out[f"gating{scale}"][:, j : j + 1] * m for j, m in enumerate(flat)))
    return maps


def _mixture(features: list[list[list[Tensor]]], state: State, out: State, mode: str) -> list[Tensor]:
    maps, experts, last = [], 3, torch.zeros(())
    for scale, steps in enumerate(features):
        key = f"scale_moes.{scale}"
        channels = sum(s.shape[1] for s in steps[0])
        for e in range(experts):
            _phi_state(state, f"{key}.experts.{e}", channels)
        state[f"{key}.gate_network.0.weight"] = torch.randn(experts, channels, 3, 3)
        state[f"{key}.gate_network.0.bias"] = torch.randn(experts)
        state[f"{key}.temperature"] = torch.tensor(1.3)
        total, last = torch.zeros(()), torch.zeros(())
        for streams in steps:
            x = torch.cat(streams, 1)
            gate = (
                functional.conv2d(
                    x, state[f"{key}.gate_network.0.weight"], state[f"{key}.gate_network.0.bias"], padding=1
                ).mean((2, 3))
                / 1.3
            )
            chosen = gate.topk(experts if mode.startswith("dense") else 2, dim=1).values[:, -1:]
            weights = gate.masked_fill(gate < chosen, -torch.inf).softmax(1)
            total = total + sum(
                weights[:, e].view(-1, 1, 1, 1) * _phi(state, f"{key}.experts.{e}", x) for e in range(experts)
            )
            use = gate.softmax(1).mean(0)
            last = last - (use * torch.log(experts * use + 1e-8)).sum()
        maps.append(total / len(steps))
    out["lb_loss"] = (last / (len(features) * len(KEPT))).view(1)
    return maps


def _resize(x: Tensor, size: Any) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def _unit(state: State, key: str, channels: int, x: Tensor, kernel: int, at: tuple[int, int] = (0, 1)) -> Tensor:
    """Convolution, BatchNorm by running statistics, ReLU, with random weights noted in ``state``."""
    conv, norm = f"{key}.{at[0]}", f"{key}.{at[1]}"
    state[f"{conv}.weight"] = torch.randn(channels, x.shape[1], kernel, kernel) * 0.2
    state[f"{conv}.bias"] = torch.randn(channels)
    _batch_norm_state(state, norm, channels)
    y = functional.conv2d(x, state[f"{conv}.weight"], state[f"{conv}.bias"], padding=kernel // 2)
    return functional.relu(_batch_norm(state, norm, y))


def _batch_norm_state(state: State, key: str, channels: int) -> None:
    state |= {f"{key}.weight": torch.rand(channels) + 0.5, f"{key}.bias": torch.randn(channels)}
    state |= {f"{key}.running_mean": torch.randn(channels), f"{key}.running_var": torch.rand(channels) + 0.5}
    state[f"{key}.num_batches_tracked"] = torch.tensor(3)


def _batch_norm(state: State, key: str, x: Tensor) -> Tensor:
    return functional.batch_norm(
        x, state[f"{key}.running_mean"], state[f"{key}.running_var"], state[f"{key}.weight"], state[f"{key}.bias"]
    )


def _upernet(maps: list[Tensor], state: State, size: tuple[int, int]) -> Tensor:
    """The published head for RESCALES 2, 1, 0.5 on three scales; pool scales are cut to three as well."""
    up = {"weight": torch.randn(WIDTH, WIDTH, 2, 2) * 0.2, "bias": torch.randn(WIDTH)}
    state |= {f"neck.ops.0.0.{key}": value for key, value in up.items()}
    maps = [
        functional.conv_transpose2d(maps[0], up["weight"], up["bias"], stride=2),
        maps[1],
        functional.max_pool2d(maps[2], 2),
    ]
    top = maps[-1]
    pooled = [
        _resize(
            _unit(state, f"psp_modules.{p}", CHANNELS, functional.adaptive_avg_pool2d(top, side), 1, (1, 2)),
            top.shape[-2:],
        )
        for p, side in enumerate(POOLS[:3])
    ]
    levels = [_unit(state, f"lateral_convs.{s}", CHANNELS, maps[s], 1) for s in range(2)]
    levels.append(_unit(state, "bottleneck", CHANNELS, torch.cat([top, *pooled], 1), 3))
    for s in (1, 0):
        levels[s] = levels[s] + _resize(levels[s + 1], levels[s].shape[-2:])
    smooth = [_unit(state, f"fpn_convs.{s}", CHANNELS, levels[s], 3) for s in range(2)] + [levels[2]]
    x = torch.cat([_resize(s, smooth[0].shape[-2:]) for s in smooth], 1)
    x = _unit(state, "fpn_bottleneck", CHANNELS, x, 3)
    state |= {"conv_seg.weight": torch.randn(CLASSES, CHANNELS, 1, 1), "conv_seg.bias": torch.randn(CLASSES)}
    return _resize(functional.conv2d(x, state["conv_seg.weight"], state["conv_seg.bias"]), size)


@torch.no_grad()
def _metadata(folder: Path, unet: Any) -> dict[str, Any]:
    """Three numbers instead of seven; the sum joins the time embedding by a plain hook."""
    text = load_file(folder / "backbone/prompt.safetensors")["text"]
    x, numbers, wide = torch.randn(1, 4, *SIZE), torch.rand(1, 3) * 1000, 4 * WIDTHS[0]
    weights: State = {}
    for i in range(3):
        for part, inner in ((1, WIDTHS[0]), (2, wide)):
            weights[f"metadata_embedding.{i}.linear_{part}.weight"] = torch.randn(wide, inner) * 0.1
            weights[f"metadata_embedding.{i}.linear_{part}.bias"] = torch.randn(wide)

    def total(values: Tensor) -> Tensor:
        result = torch.zeros(1, wide)
        for i in range(3):
            w = {key.split(".", 2)[2]: v for key, v in weights.items() if key.startswith(f"metadata_embedding.{i}.")}
            inner = functional.silu(unet.time_proj(values[:, i]) @ w["linear_1.weight"].T + w["linear_1.bias"])
            result = result + inner @ w["linear_2.weight"].T + w["linear_2.bias"]
        return result

    out = {}
    for key, values in (("out_metadata", numbers), ("out_zero_metadata", numbers * 0), ("out_no_metadata", None)):
        hook = unet.time_embedding.register_forward_hook(lambda _m, _i, o, v=values: o if v is None else o + total(v))
        out[key] = unet(x, torch.tensor([400.0]), encoder_hidden_states=text).sample
        hook.remove()
    save_file({"x": x, "metadata": numbers, **weights, **out}, folder / "cases/metadata.safetensors")
    return {"file": "cases/metadata.safetensors", "t": 400, "num_metadata": 3, "expected": list(out)}
