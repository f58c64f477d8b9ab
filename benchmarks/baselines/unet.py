"""A small U-Net trained from scratch on the labelled images: what plain supervision gives at a like cost."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.labelled_set import LabelledSet, Pair, limits, read_codes, read_image, stretch
from satdifuser_qgis.engine.report.scores import to_indices

WIDTHS = (16, 32, 64, 96)
CROP_PX, BATCH, STEPS, LEARNING_RATE, SEED = 128, 8, 600, 2e-3, 0


def convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with GroupNorm and SiLU."""
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()]
    return nn.Sequential(*layers)


class SmallUNet(nn.Module):
    """Four levels, 0.4 million parameters. Image (B, 3, H, W), sides a multiple of 8, to logits (B, classes, H, W)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(convolutions(a, b) for a, b in zip((3, *WIDTHS), WIDTHS))
        pairs = list(zip(WIDTHS, WIDTHS[1:]))
        self.decoder = nn.ModuleList(convolutions(fine + coarse, fine) for fine, coarse in reversed(pairs))
        self.classify = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the grid of the image."""
        levels: list[Tensor] = []
        for level in self.encoder:
            image = level(functional.max_pool2d(levels[-1], 2) if levels else image)
            levels.append(image)
        for level in self.decoder:
            levels.pop()
            larger = functional.interpolate(image, scale_factor=2.0)
            image = level(torch.cat((larger, levels[-1]), dim=1))
        return self.classify(image)


class UNetMethod:
    """Trains for a fixed number of steps of random crops (flips, quarter turns) and keeps the last weights."""

    def __init__(self, scaling: int, threads: int, steps: int = STEPS) -> None:
        self.scaling, self.steps = scaling, steps
        self.rng = np.random.default_rng(SEED)
        torch.set_num_threads(threads)
        torch.manual_seed(SEED)

    def learn(self, labelled: LabelledSet) -> None:
        """Fits the network; classes are weighted by one over the root of their share."""
        self.codes = labelled.codes
        raw = [read_image(pair.image) for pair in labelled.train]
        self.constants = limits(np.concatenate([values.reshape(3, -1) for values in raw], axis=1))
        images = [self._scale(values) for values in raw]
        targets = [to_indices(read_codes(pair.label), self.codes).astype(np.int64) for pair in labelled.train]
        self.net = SmallUNet(len(self.codes))
        optimiser = torch.optim.AdamW(self.net.parameters(), LEARNING_RATE, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        weights = self._class_weights(targets)
        areas = np.array([target.size for target in targets], dtype=float)
        for _ in range(self.steps):
            batch, truth = self._batch(images, targets, areas / areas.sum())
            loss = functional.cross_entropy(self.net(batch), truth, weight=weights, ignore_index=-1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        self.net.eval()

    def map(self, pair: Pair) -> NDArray[np.uint16]:
        """Class codes of an image, mapped whole."""
        values = self._scale(read_image(pair.image))
        height, width = values.shape[1:]
        padded = np.pad(values, ((0, 0), (0, -height % 8), (0, -width % 8)), mode="reflect")
        with torch.inference_mode():
            best = self.net(torch.from_numpy(padded)[None])[0].argmax(0).numpy()[:height, :width]
        return np.asarray(self.codes, dtype=np.uint16)[best]

    def _scale(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return stretch(values, *(limits(values) if self.scaling == 2 else self.constants))

    def _class_weights(self, targets: list[NDArray[np.int64]]) -> Tensor:
        labelled = np.concatenate([target[target >= 0] for target in targets])
        share = np.bincount(labelled, minlength=len(self.codes)) / len(labelled)
        weights = 1 / np.sqrt(np.maximum(share, 1e-6))
        return torch.from_numpy(weights / weights.mean()).float()

    def _batch(
        self, images: list[NDArray[np.float32]], targets: list[NDArray[np.int64]], odds: NDArray[np.float64]
    ) -> tuple[Tensor, Tensor]:
        crops = [self._crop(images[i], targets[i]) for i in self.rng.choice(len(images), BATCH, p=odds)]
        return torch.stack([image for image, _ in crops]), torch.stack([truth for _, truth in crops])

    def _crop(self, image: NDArray[np.float32], truth: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        row = int(self.rng.integers(truth.shape[0] - CROP_PX + 1))
        column = int(self.rng.integers(truth.shape[1] - CROP_PX + 1))
        turns, flip = int(self.rng.integers(4)), bool(self.rng.integers(2))
        window = (slice(row, row + CROP_PX), slice(column, column + CROP_PX))
        pieces = []
        for array in (image[(slice(None), *window)], truth[window]):
            turned = np.rot90(array, turns, axes=(-2, -1))
            pieces.append(torch.from_numpy((turned[..., ::-1] if flip else turned).copy()))
        return pieces[0], pieces[1]
