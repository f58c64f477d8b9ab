"""Images in, pyramids of features out: the one way by which training and inference read a backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...protocol.errors import EngineError
from ..backbones import Backbone, Stream, group_by_stride, normalise_metadata
from ..backbones.metadata import METADATA_NAMES
from ..backbones.taps import tap
from ..padding import pad_to_multiple
from .batching import Batches
from .chain import Call, plan, plan_published, walk
from .noise import position_noise
from .recipe import CLEAN_TIMES, Recipe


class Extractor:
    """Features of a backbone by a recipe.

    ``scales`` says what comes out: per scale a tensor (B, T, sum of channels, h, w), largest maps first, times
    ascending, channels in the order of ``Scale.streams``. A tile's features depend on its pixels, its position
    and the recipe alone. ``recipe`` has its defaults filled in. batch: network calls hold at most this many
    (tile, time) pairs; 0 tries all at once and halves when memory ends. ``backbone`` is the one that is read: of the
    one given, in clean extraction, its clean twin. Features carry gradients where that one learns.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe, device: torch.device, batch: int = 0) -> None:
        backbone = backbone.clean if recipe.mode == "clean" else backbone
        self.backbone, self.device = backbone, device
        self.recipe = _complete(recipe, backbone)
        streams = _chosen(backbone, self.recipe.streams)
        self.scales = group_by_stride(streams)
        order = {stream.name: place for place, stream in enumerate(backbone.streams())}
        self._names = [name for scale in self.scales for name in scale.streams]
        self._last = max(self._names, key=order.__getitem__)
        self._batches = Batches(batch)
        self._calls = _plan(backbone, self.recipe) if self.recipe.mode == "inversion" else []

    def __call__(
        self, images: Tensor, positions: Sequence[tuple[int, int]], metadata: Tensor | None = None
    ) -> list[Tensor]:
        """Features of tiles.

        images: (B,3,H,W) in [-1,1], any size; they are mirrored out to the backbone's multiple and the maps cut
        back to ceil(side/stride). positions: (row, column) of each tile's corner, which its noise belongs to.
        metadata: (B,7) natural numbers, see `normalise_metadata`; needed where the recipe says "raster".
        """
        if len(positions) != len(images):
            raise ValueError(f"{len(images)} tiles came with {len(positions)} positions")
        height, width = images.shape[-2:]
        latents = self._latents(pad_to_multiple(images, self.backbone.size_multiple), positions)
        numbers = self._numbers(metadata, len(images))
        pyramid: list[Tensor] = []
        read = self._read_chain if self.recipe.mode == "inversion" else self._read_pairs
        read(latents, positions, numbers, pyramid)
        return [
            maps[..., : math.ceil(height / scale.stride), : math.ceil(width / scale.stride)]
            for maps, scale in zip(pyramid, self.scales)
        ]

    def _latents(self, images: Tensor, positions: Sequence[tuple[int, int]]) -> Tensor:
        backbone, factor = self.backbone, self.backbone.factor
        size = (len(images), backbone.channels, images.shape[-2] // factor, images.shape[-1] // factor)
        latents = torch.empty(size, device=self.device)

        def encode(part: slice) -> None:
            # Time -1 stands for the clean image: only the published setting samples there.
            noise = self._noise(size[1:], positions[part], [-1]).flatten(0, 1) if self.recipe.published else None
            latents[part] = backbone.encode(images[part].to(self.device, torch.float32), noise)

        self._batches.run(len(images), encode)
        return latents

    def _noise(self, shape: Sequence[int], positions: Sequence[tuple[int, int]], times: Sequence[int]) -> Tensor:
        """(B,T,c,h,w) on the device, drawn per tile and time."""
        seed = self.recipe.seed
        drawn = [position_noise(shape, seed, row, column, time) for row, column in positions for time in times]
        return torch.stack(drawn).unflatten(0, (len(positions), len(times))).to(self.device)

    def _numbers(self, natural: Tensor | None, count: int) -> Tensor | None:
        if not self.backbone.has_metadata or self.recipe.metadata == "none":
            return None
        if self.recipe.metadata == "zeros":
            return torch.zeros(count, len(METADATA_NAMES), device=self.device)
        if natural is None:
            raise EngineError(
                "bad_input",
                f'The backbone "{self.backbone.name}" was asked for metadata of the raster, but none came.',
                "Use a raster with a coordinate reference system, or metadata zeros.",
            )
        return normalise_metadata(natural).to(self.device)

    def _read_pairs(
        self, latents: Tensor, positions: Sequence[tuple[int, int]], numbers: Tensor | None, pyramid: list[Tensor]
    ) -> None:
        """All (tile, time) pairs are independent, so that they share batches and the network's end is never run."""
        times = self.recipe.times
        tiles = torch.arange(len(latents)).repeat_interleave(len(times))
        moments = torch.tensor(times).repeat(len(latents))

        def work(part: slice) -> None:
            chosen = tiles[part].to(self.device)
            x = self._noised(latents[chosen], [positions[tile] for tile in tiles[part].tolist()], moments[part])
            own = None if numbers is None else numbers[chosen]
            _, maps = self._tap(x, moments[part], own, self._last)
            columns = [times.index(time) for time in moments[part].tolist()]
            self._store(pyramid, maps, len(latents), tiles[part], columns)

        self._batches.run(len(tiles), work)

    def _noised(self, latents: Tensor, positions: Sequence[tuple[int, int]], moments: Tensor) -> Tensor:
        """Each of (P,c,h,w) brought to its model time (P,) by the noise of its place; in clean extraction as it is."""
        if self.recipe.mode == "clean":
            return latents
        alphas = self.backbone.schedule.alpha_bars(moments)
        signal, spread = (v.sqrt().float().to(self.device).view(-1, 1, 1, 1) for v in (alphas, 1.0 - alphas))
        pairs = zip(positions, moments.tolist())
        noise = torch.cat([self._noise(latents.shape[1:], [position], [time])[0] for position, time in pairs])
        return signal * latents + spread * noise

    def _read_chain(
        self, latents: Tensor, _positions: Sequence[tuple[int, int]], numbers: Tensor | None, pyramid: list[Tensor]
    ) -> None:
        """The chain's calls follow one another; only tiles share batches."""
        prediction = "epsilon" if self.recipe.published else self.backbone.prediction_type

        def work(part: slice) -> None:
            own = None if numbers is None else numbers[part]
            place = torch.arange(len(latents))[part]

            def denoise(x: Tensor, call: Call) -> Tensor | None:
                moments = torch.full((len(x),), call.time)
                if not call.keep:
                    return self.backbone.denoise(x, moments, own)
                output, maps = self._tap(x, moments, own, self._last if call is self._calls[-1] else None)
                self._store(pyramid, maps, len(latents), place, [self.recipe.times.index(call.time)] * len(x))
                return output

            for _ in walk(latents[part], self._calls, denoise, prediction):
                pass

        self._batches.run(len(latents), work)

    def _tap(
        self, x: Tensor, moments: Tensor, numbers: Tensor | None, last: str | None
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        backbone = self.backbone
        return tap(backbone.network, self._names, lambda: backbone.denoise(x, moments, numbers), last)

    def _store(
        self, pyramid: list[Tensor], maps: dict[str, Tensor], tiles: int, rows: Tensor, columns: Sequence[int]
    ) -> None:
        """Copies maps of (tile, time) pairs to their places; the pyramid is allocated at the first call."""
        if not pyramid:
            for scale in self.scales:
                size = (tiles, len(self.recipe.times), sum(scale.channels), *maps[scale.streams[0]].shape[-2:])
                pyramid.append(torch.empty(size, device=self.device))
        at = (rows.to(self.device), torch.tensor(columns, device=self.device))
        for target, scale in zip(pyramid, self.scales):
            target[at] = torch.cat([maps[name] for name in scale.streams], dim=1)


def _complete(recipe: Recipe, backbone: Backbone) -> Recipe:
    usual = CLEAN_TIMES if recipe.mode == "clean" else backbone.default_times
    filled = Recipe(
        recipe.times or usual,
        recipe.streams or backbone.default_streams,
        recipe.mode,
        recipe.published,
        recipe.metadata,
        recipe.seed,
        recipe.steps,
    )
    if max(filled.times) >= backbone.schedule.length:
        raise EngineError(
            "bad_request",
            f'Timestep {max(filled.times)} was chosen; "{backbone.name}" knows 0 to {backbone.schedule.length - 1}.',
            "Choose smaller timesteps; the least noisy fifth is the useful one.",
        )
    if filled.published and filled.mode == "noised" and len(filled.times) > 1:
        raise EngineError(
            "bad_request",
            f"The published code keeps a single timestep in noised extraction, but {len(filled.times)} were chosen.",
            "Choose one timestep, use inversion, or switch published off.",
        )
    return filled


def _chosen(backbone: Backbone, names: Sequence[str]) -> list[Stream]:
    known = {stream.name: stream for stream in backbone.streams()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise EngineError(
            "bad_model",
            f'The backbone "{backbone.name}" has no stream "{unknown[0]}".',
            f"Its streams are called like {', '.join(list(known)[-3:])}.",
        )
    return [known[name] for name in names]


def _plan(backbone: Backbone, recipe: Recipe) -> list[Call]:
    make = plan_published if recipe.published else plan
    try:
        return make(backbone.schedule, recipe.times, recipe.steps)
    except ValueError as error:
        raise EngineError("bad_request", f"{error}.", "Choose other timesteps or another number of steps.") from error
