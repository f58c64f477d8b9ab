"""The one object behind which every diffusion model hides, latent or pixel, with metadata or without."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...protocol.errors import EngineError
from ..streams import Stream
from .card import Card
from .codecs import PixelCodec, VaeCodec
from .metadata import MetadataEmbedding
from .schedule import Schedule
from .streams import discover

# SatDiFuser's code keeps steps 47, 45 and 40 of 50; these are their model times.
PUBLISHED_TIMES = (21, 61, 161)


class Backbone:
    """A diffusion model on one device, float32; frozen, unless `learn` says otherwise.

    Images are (B,3,H,W) in [-1,1]; their sides must be multiples of ``size_multiple``. Times are model times.
    ``prompt`` is (1,L,C), encoded once, or None where the network takes no text. ``load_clean`` reads the twin whose
    network is for images without noise.
    """

    def __init__(
        self,
        network: Any,
        codec: PixelCodec | VaeCodec,
        schedule: Schedule,
        card: Card,
        device: torch.device,
        prompt: Tensor | None = None,
        metadata: MetadataEmbedding | None = None,
        weight_files: Sequence[Path] = (),
        load_clean: Callable[[], Backbone] | None = None,
    ) -> None:
        self.device = device
        self.network: Any = network.to(device).eval().requires_grad_(False)
        self.codec = codec.to(device).eval().requires_grad_(False)
        self.schedule = schedule
        self.card = card
        self.prompt = None if prompt is None else prompt.to(device, torch.float32)
        self.metadata = None if metadata is None else metadata.to(device).eval().requires_grad_(False)
        self._weight_files = tuple(weight_files)
        self._load_clean = load_clean
        if self.metadata is not None:
            # The U-Net adds class embeddings to the time embedding as they are: the place where metadata belong.
            network.class_embedding = nn.Identity()

    @property
    def name(self) -> str:
        """The backbone's name, for models' headers and reports."""
        return self.card.name

    @property
    def revision(self) -> str:
        """Which training of it this is; "" where unknown."""
        return self.card.revision

    @property
    def space(self) -> str:
        """ "pixel" or "latent"."""
        return self.card.space

    @property
    def factor(self) -> int:
        """Image pixels per pixel of the network's input, a side."""
        return self.codec.factor

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return self.codec.channels

    @property
    def size_multiple(self) -> int:
        """Image sides must be multiples of this, so that every map's side is whole."""
        return self.factor * 2 ** (len(self.network.config.down_block_types) - 1)

    @property
    def prediction_type(self) -> str:
        """ "epsilon", "v_prediction" or "sample"."""
        return self.schedule.prediction_type

    @property
    def alphas_cumprod(self) -> Tensor:
        """(times,) float64: the share of the image's variance left at each model time."""
        return self.schedule.alphas_cumprod

    @property
    def gsd_m(self) -> tuple[float, float] | None:
        """Pixel sizes in metres that it was trained on, (low, high)."""
        return self.card.gsd_m

    @property
    def default_times(self) -> tuple[int, ...]:
        """Model times worth reading, ascending."""
        return self.card.default_times or PUBLISHED_TIMES

    @property
    def default_extraction(self) -> str:
        """What automatic extraction takes: "noised" or "clean"."""
        return self.card.default_extraction

    @property
    def weights_folder(self) -> Path:
        """Where the network's weights lie."""
        return self._weight_files[0].parent

    @property
    def has_clean(self) -> bool:
        """Whether it has a network for clean images."""
        return self._load_clean is not None

    @cached_property
    def clean(self) -> Backbone:
        """The same with the network for clean images, which gives its features at time 0 in one pass.

        It is read at the first use. Raises EngineError("bad_model") where there is none.
        """
        if self._load_clean is None:
            folder = self.weights_folder.parent
            why = (
                f"there is no {folder / 'clean' / 'config.json'}, and satdifuser.json does not say "
                '"clean_network": "unet"'
                if self.space == "pixel"
                else "only one in pixel space can have one"
            )
            raise EngineError(
                "bad_model",
                f'The backbone "{self.name}" has no network for clean images: {why}.',
                "A model that was trained with clean extraction needs that network: put it back. To train, choose "
                "noised extraction, or a backbone that has one, such as the embedded one.",
            )
        return self._load_clean()

    @property
    def has_metadata(self) -> bool:
        """Whether it was trained with DiffusionSat's seven numbers."""
        return self.metadata is not None

    @cached_property
    def default_streams(self) -> tuple[str, ...]:
        """Module paths worth reading: the card's, else second convolutions (latent: self-attentions too) going up."""
        if self.card.default_streams:
            return self.card.default_streams
        wanted = ("attn1", "conv2") if self.space == "latent" else ("conv2",)
        blocks = [f"up_blocks.{i}" for i in range(len(self.network.config.up_block_types))]
        if self.space == "pixel":
            blocks = ["mid_block", *blocks]
        usual = [s for s in self.streams() if ".resnets." in s.name or ".attentions." in s.name]
        return tuple(s.name for block in blocks for kind in wanted for s in usual if (s.block, s.kind) == (block, kind))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the weight files, network first."""
        total = hashlib.sha256()
        for path in self._weight_files:
            with path.open("rb") as file:
                while chunk := file.read(1 << 22):
                    total.update(chunk)
        return total.hexdigest()

    @torch.no_grad()
    def encode(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B,3,H,W) in [-1,1] → the network's input (B,c,h,w); ``noise`` asks for a sample, for comparisons only."""
        return self.codec.encode(images.to(self.device), noise)

    def learn(self, wanted: bool) -> None:
        """Whether features and outputs carry gradients of the network's weights."""
        self.network.requires_grad_(wanted)

    def denoise(self, x: Tensor, times: Tensor, metadata: Tensor | None = None, prompt: Tensor | None = None) -> Tensor:
        """The network's raw output for x (B,c,h,w) at times (B,), shaped as x.

        metadata: (B,7) normalised numbers; None leaves the embedding out, which is what SatDiFuser's code does.
        prompt: (1,L,C) in place of the backbone's own. What the output means is `prediction_type`.
        """
        times = times.to(x.device, torch.float32).expand(len(x))
        if self.prompt is None:
            # Our pixel networks take the pixel size where others take a class; 0 is what they saw for "unknown".
            sized = self.network.config.get("class_embed_type") == "timestep"
            return self.network(x, times, torch.zeros_like(times) if sized else None, return_dict=False)[0]
        text = (self.prompt if prompt is None else prompt.to(x)).expand(len(x), -1, -1)
        labels = None if self.metadata is None else self._labels(metadata, len(x))
        return self.network(x, times, encoder_hidden_states=text, class_labels=labels, return_dict=False)[0]

    def _labels(self, numbers: Tensor | None, count: int) -> Tensor:
        if self.metadata is None or numbers is None:
            return torch.zeros(count, 4 * self.network.config.block_out_channels[0], device=self.device)
        return self.metadata(numbers.to(self.device))

    def streams(self) -> tuple[Stream, ...]:
        """Every place where features can be taken, in order of execution."""
        return self._streams

    @cached_property
    def _streams(self) -> tuple[Stream, ...]:
        side = self.size_multiple // self.factor
        blank = torch.zeros(1, self.channels, side, side, device=self.device)
        return discover(self.network, lambda: self.denoise(blank, torch.ones(1)), self.size_multiple)
