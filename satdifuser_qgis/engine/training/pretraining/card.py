"""The model card: every figure in it comes from the run and its checkpoint, none is typed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .bank import Contents
from .checkpoint import Progress
from .network import LOG_SIGMA_MEAN, LOG_SIGMA_STD, LOW_TIMES, READ_TIME, TRAIN_STEPS, UNIFORM_SHARE
from .one_pass import TOLD_TIMES
from .probe import Scores
from .tried import Row, tried_table

HEAD = """# {name}

Revision {revision}. A compact diffusion model of satellite images in pixel space, trained from scratch without
labels. It ships as a source of features for land-cover maps, not as a generator of images.

| | |
|---|---|
| network | UNet2DModel, widths {widths}, no attention, input pixel-unshuffled by {unshuffle} |
| size | {parameters:.2f} M weights a network, {networks}, float16, {megabytes:.1f} MB |
| cost | {gmac:.3f} GMAC per {tile_px} x {tile_px} px tile and pass, {large:.1f} at 256 x 256 px |
| prediction | v, cosine schedule of {train_steps:,} times |
| pixel size | class label of type "timestep": metres times 1000; 0 where unknown, as in {unknown:.0%} of the views |
| worth reading | outputs of {streams}; time {time} |
| SHA-256 of the weights | {digest} |
"""

SOURCE = """
{about}

- {images:,} images at {gsd} m a pixel, {pixels:,.1f} million pixels, cut into {tiles:,} tiles of {tile_px} px at full
  and half resolutions; {share:.0%} of the views. {left_out:,} images were left out and never decoded in training.
"""

TRAINING = """
## Training

- {views:,} crops shown ({shown:,.0f} million pixels), {steps:,} steps, {minutes:.0f} minutes of wall clock in
  {sittings} sitting(s) on {hardware}.
- {before}Shares above and settings below are those of the last sitting.
- Pixel values 0..255 become -1..1 by constants. Half of the crops keep their pixels, half show 0.4 to 1 of a tile's
  area, resized; flips, quarter turns, gain up to 10 %, offset up to 5 % of the range.
- Crops of {crop_px} px, batch {batch}, learning rate {rate:g}; the last sitting's final {finish:.0%} on whole tiles
  with a falling rate. Shipped are the averaged weights (decay 0.999).
- Pairs of crops of one tile: the first at log-normal noise levels (mean {mean:g}, deviation {deviation:g} of log sigma;
  {uniform:.0%} at uniform times), the second at uniform times below {low}. Beside denoising: contrast between tiles
  (weight {contrast:g}; neighbouring tiles are no strangers), and alignment of the first crop with what the averaged
  network says of the second (weight {alignment:g}), both read from pooled maps of middle and decoder. No labels, no
  captions, no other network.
"""

BEFORE = """The first {step:,} steps made an earlier revision of this folder, by the recipe of its own card.
  """

ONE_NETWORK = """- Without noise, at time 0, the image is read by the same network (`clean_network` in
  `satdifuser.json`).
"""

DISTILLATION = """- The folder `clean` holds a second network of the same layout for one pass over the image without
  noise, at time 0: distilled from the first one's streams at times {times} in {steps:,} steps, {views:,} tiles,
  {minutes:.0f} minutes.
"""

SCORES = """
## Figures

Mean squared error of v by model time: in training over crops of all sources, and over whole tiles of the first source
that were left out:

| model times | in training, last report | left out | left out, untrained |
|---|---|---|---|
{losses}
"""

PROBE = """
Probes, cheap and only for comparing trainings: logistic regression and RBF-SVM on mean, deviation and maximum of what
is worth reading, one seed, {labels:,} labelled tiles of the list `{labels_list}`, scored on {unseen:,} left-out
tiles of the first source, macro F1:

| read | linear | SVM |
|---|---|---|
{probe}
"""

TRIED = """
## What was tried

Probes as above, one row a training or distillation by this recipe:

{table}
"""

REPRODUCE = """
## To reproduce

With the sources above in one folder (`SATDIFUSER_DATA`) and the settings that stand in `satdifuser.json`,
`make pretrain MINUTES={minutes:.0f} LAST=1 PRETRAIN="--run NEW --backbone FOLDER"` trains by this recipe from
nothing; without `PRETRAIN` it goes on from this folder. How far minutes lead depends on the machine; with STEPS on one
CPU the weights are the same to the bit. `python benchmarks/pretrain.py --help` tells more.
"""

LIMITS = """
## Good for, and not

Features of true-colour imagery where few labels are at hand, on a laptop and offline. The tables say how far they are
from random weights; it is a small model, so colour and texture statistics of the pixels themselves belong beside its
features. It knows the places and sensors named above and hardly any cloud: elsewhere it works by general texture,
untested unless the benchmark says so. Samples drawn from it are no evidence of anything on the ground.
"""


@dataclass
class Facts:
    """The figures of a card. ``trained`` and ``untrained`` are scores of the same network with and without training,
    ``clean`` the probes of the one clean pass; ``pixels`` is what they make of twelve statistics of the pixels.
    ``streams`` are worth reading; ``labels`` tiles of the file ``labels_list`` fit the probes.
    """

    progress: Progress
    contents: Sequence[Contents]
    tile_px: int
    parameters: int
    gmac: float
    widths: tuple[int, ...]
    unshuffle: int
    streams: tuple[str, ...]
    distillation: Progress | None = None
    labels: int = 0
    labels_list: str = ""
    unseen: int = 0
    trained: Scores = field(default_factory=Scores)
    untrained: Scores = field(default_factory=Scores)
    clean: tuple[float, float] | None = None
    pixels: tuple[float, float] = (math.nan, math.nan)
    tried: list[Row] = field(default_factory=list)
    digest: str = ""
    bytes: int = 0


def model_card(name: str, revision: str, facts: Facts) -> str:
    """The card as Markdown. Tables without figures are left out."""
    head = HEAD.format(
        name=name,
        revision=revision,
        widths=", ".join(map(str, facts.widths)),
        unshuffle=facts.unshuffle,
        parameters=facts.parameters / 1e6,
        networks="two networks" if facts.distillation else "one network",
        megabytes=facts.bytes / 1e6,
        gmac=facts.gmac,
        large=facts.gmac * (256 / facts.tile_px) ** 2,
        tile_px=facts.tile_px,
        unknown=facts.progress.settings.get("unknown_gsd", 1.0),
        streams=", ".join(f"`{name}`" for name in facts.streams),
        time=READ_TIME,
        train_steps=TRAIN_STEPS,
        digest=facts.digest,
    )
    data = "\n## Data\n" + "".join(_source(facts, contents) for contents in facts.contents)
    tried = TRIED.format(table=tried_table(facts.tried)) if len(facts.tried) > 1 else ""
    again = REPRODUCE.format(minutes=facts.progress.seconds / 60)
    return head + data + _training(facts) + _figures(facts) + tried + again + LIMITS


def _source(facts: Facts, contents: Contents) -> str:
    source = contents.source
    return SOURCE.format(
        about=source.about or "The origin of these data was not stated in the request.",
        images=contents.images,
        gsd=f"{source.gsd_m:g}" if source.gsd_m else "an unknown number of",
        pixels=contents.pixels / 1e6,
        tiles=contents.tiles,
        tile_px=facts.tile_px,
        share=contents.share,
        left_out=contents.left_out,
    )


def _training(facts: Facts) -> str:
    progress, settings = facts.progress, facts.progress.settings
    text = TRAINING.format(
        views=progress.views,
        shown=progress.pixels / 1e6,
        steps=progress.step,
        minutes=progress.seconds / 60,
        sittings=progress.sittings,
        hardware=" and ".join(progress.hardware) or "hardware that was not recorded",
        crop_px=int(settings["crop_px"]),
        batch=int(settings["batch"]),
        rate=settings["learning_rate"],
        finish=settings["finish"],
        contrast=settings["contrast"],
        alignment=settings.get("alignment", 0.0),
        before=BEFORE.format(step=progress.begun_at) if progress.begun_at else "",
        mean=LOG_SIGMA_MEAN,
        deviation=LOG_SIGMA_STD,
        uniform=UNIFORM_SHARE,
        low=LOW_TIMES,
    )
    second = facts.distillation
    if second is None:
        return text + ONE_NETWORK
    return text + DISTILLATION.format(
        times=", ".join(map(str, TOLD_TIMES)),
        steps=second.step,
        views=second.views,
        minutes=second.seconds / 60,
    )


def _figures(facts: Facts) -> str:
    text = ""
    if facts.trained.losses:
        text += SCORES.format(losses="\n".join(_loss_row(facts, bucket) for bucket in facts.trained.losses))
    if facts.labels:
        rows = {"this network": facts.trained.probes}
        if facts.clean is not None:
            reader = "distilled" if facts.distillation else "this"
            rows[f"{reader} network, without noise"] = facts.clean
        rows["same network, random weights"] = facts.untrained.probes
        rows["twelve statistics of the pixels"] = facts.pixels
        text += PROBE.format(
            labels=facts.labels,
            labels_list=facts.labels_list,
            unseen=facts.unseen,
            probe="\n".join(f"| {read} | {linear:.3f} | {svm:.3f} |" for read, (linear, svm) in rows.items()),
        )
    return text


def _loss_row(facts: Facts, bucket: str) -> str:
    in_training = facts.progress.losses.get(f"loss t {bucket}")
    shown = "" if in_training is None else f"{in_training:.4f}"
    return f"| {bucket} | {shown} | {facts.trained.losses[bucket]:.4f} | {facts.untrained.losses[bucket]:.4f} |"
