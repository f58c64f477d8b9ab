"""The model card: every figure in it comes from the run and its checkpoint, none is typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from .probe import Scores
from .state import Progress

HEAD = """# {name}

Revision {revision}. A compact diffusion model of satellite images in pixel space, trained from scratch without
labels. It ships as a source of features for land-cover maps, not as a generator of images.

| | |
|---|---|
| network | UNet2DModel, widths {widths}, no attention, input pixel-unshuffled by {unshuffle} |
| size | {parameters:.2f} M weights, float16, {megabytes:.1f} MB |
| cost | {gmac:.3f} GMAC per {tile_px} x {tile_px} px tile and pass |
| prediction | v, cosine schedule of 1,000 times; log-normal noise levels that favour low noise |
| SHA-256 of the weights | {digest} |
"""

TRAINING = """
## Training

{about}

- Tiles: {tiles:,}, of {tile_px} x {tile_px} px; {left_out:,} tiles of the left-out list were never decoded in training.
- Pixel values 0..255 become -1..1 by constants. Flips, quarter turns, zoom 1/2 to 2 (pixel sizes {gsd[0]:g} to
  {gsd[1]:g} m), gain up to 10 %, offset up to 5 % of the range.
- {views:,} crops shown ({pixels:,.0f} million pixels), {steps:,} steps, {minutes:.0f} minutes of wall clock in
  {sittings} sitting(s) on {hardware}, shared with other work.
- Crops of {crop_px} px, batch {batch}, learning rate {rate:g}; the last sitting's final {finish:.0%} on whole tiles
  with a falling rate. Shipped are the averaged weights (decay 0.999).
- Beside denoising: contrast between two crops of one tile (weight {contrast:g}), read from pooled maps of middle and
  decoder. No labels, no captions, no other network.
"""

SCORES = """
## Figures

Mean squared error of v by model time; "left out" are tiles of the left-out list:

| model times | in training, last report | left out | left out, untrained |
|---|---|---|---|
{losses}
"""

PROBE = """
Linear probe: logistic regression on mean, deviation and maximum of the second convolutions of middle and decoder, one
seed, {labels:,} labelled tiles, scored on the {unseen:,} left-out tiles (macro F1 / accuracy). The same probe on twelve
statistics of the pixels themselves: {pixels[0]:.3f} / {pixels[1]:.3f}.

| read | trained | same network, random weights |
|---|---|---|
{probe}
"""

LIMITS = """
## Good for, and not

Features of 10 m true-colour imagery at half resolution and below, where few labels are at hand, on a laptop and
offline. The table above says how far they are from random weights; it is a small model after a short training, so
colour and texture statistics of the pixels themselves can do better alone, and belong beside its features.

It saw Europe only, one sensor, three bands, no clouds to speak of, and no sub-metre imagery at all: elsewhere it works
by general texture, untested unless the benchmark says so. Samples drawn from it are no evidence of anything on the
ground.
"""


@dataclass
class Facts:
    """The figures of a card. ``trained`` and ``untrained`` are scores of the same network with and without training;
    ``pixels`` is what the probe makes of statistics of the pixels.
    """

    progress: Progress
    about: str
    tiles: int
    tile_px: int
    left_out: int
    labels: int
    unseen: int
    parameters: int
    gmac: float
    widths: tuple[int, ...]
    unshuffle: int
    gsd_m: tuple[float, float]
    trained: Scores = field(default_factory=Scores)
    untrained: Scores = field(default_factory=Scores)
    pixels: tuple[float, float] = (0.0, 0.0)
    digest: str = ""
    bytes: int = 0


def model_card(name: str, revision: str, facts: Facts) -> str:
    """The card as Markdown. Tables without figures are left out."""
    progress, settings = facts.progress, facts.progress.settings
    head = HEAD.format(
        name=name,
        revision=revision,
        widths=", ".join(map(str, facts.widths)),
        unshuffle=facts.unshuffle,
        parameters=facts.parameters / 1e6,
        megabytes=facts.bytes / 1e6,
        gmac=facts.gmac,
        tile_px=facts.tile_px,
        digest=facts.digest,
    )
    training = TRAINING.format(
        about=facts.about or "The origin of the data was not stated in the request.",
        tiles=facts.tiles,
        tile_px=facts.tile_px,
        left_out=facts.left_out,
        gsd=facts.gsd_m,
        views=progress.views,
        pixels=progress.pixels / 1e6,
        steps=progress.step,
        minutes=progress.seconds / 60,
        sittings=progress.sittings,
        hardware=" and ".join(progress.hardware) or "hardware that was not recorded",
        crop_px=int(settings["crop_px"]),
        batch=int(settings["batch"]),
        rate=settings["learning_rate"],
        finish=settings["finish"],
        contrast=settings["contrast"],
    )
    return head + training + _figures(facts) + LIMITS


def _figures(facts: Facts) -> str:
    text = ""
    if facts.trained.losses:
        text += SCORES.format(losses="\n".join(_loss_row(facts, bucket) for bucket in facts.trained.losses))
    if facts.trained.macro_f1:
        rows = "\n".join(_probe_row(facts, name) for name in facts.trained.macro_f1)
        text += PROBE.format(labels=facts.labels, unseen=facts.unseen, pixels=facts.pixels, probe=rows)
    return text


def _loss_row(facts: Facts, bucket: str) -> str:
    in_training = facts.progress.losses.get(f"loss t {bucket}")
    shown = "" if in_training is None else f"{in_training:.4f}"
    return f"| {bucket} | {shown} | {facts.trained.losses[bucket]:.4f} | {facts.untrained.losses[bucket]:.4f} |"


def _probe_row(facts: Facts, name: str) -> str:
    cells = (
        f"{scores.macro_f1[name]:.3f} / {scores.accuracy[name]:.3f}" for scores in (facts.trained, facts.untrained)
    )
    return f"| {name} | {' | '.join(cells)} |"
