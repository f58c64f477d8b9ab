"""Training the networks that decide pixel by pixel, and what each of them counts for: cells left out decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..heads.pixel_networks import PixelNetwork, PixelNetworks
from ..reporter import Reporter
from .loop import class_counts, class_weights
from .samples import UNLABELLED, Sample

STEPS, BATCH_PX, LEAST_BATCH_PX, MOST_PX = 400, 1024, 256, 100_000
# Half the steps tell which network to trust.
TRIAL_STEPS = 200
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
# Labelled pixels of one class in one cell of so many pixels a side are one piece of ground: they tell of one place.
CELL_PX = 64
FOLDS = 4
# Of the linear network, a piece of ground: its sum of squared weights counts so much beside the mean cross-entropy of
# as many pieces. With it the network is as stiff with few labels as a logistic regression with C = 0.01.
STIFFNESS = 1.5
LINEAR_STEPS = 60
# With so many pieces of ground the networks count half by what cells left out say and half alike.
EQUAL_PIECES = 300


@dataclass(frozen=True)
class Labelled:
    """Pixels to train on: all inputs (N, inputs), class (N,), and the cell that each lies in (N,)."""

    values: Tensor
    classes: Tensor
    cells: Tensor

    def part(self, chosen: Tensor) -> Labelled:
        """Those pixels that are ``chosen`` (N,)."""
        return Labelled(self.values[chosen], self.classes[chosen], self.cells[chosen])

    @property
    def pieces(self) -> int:
        """Pieces of ground: pairs of cell and class."""
        return len(torch.unique(torch.stack([self.cells, self.classes]), dim=1).T)


def fit_networks(
    networks: PixelNetworks, samples: Sequence[Sample], classes: int, seed: int, reporter: Reporter
) -> None:
    """Trains in place, on the CPU, and sets the networks' weights by what each says of cells that it was not shown."""
    counts = class_counts(samples, classes)
    kept = counts.clamp(max=MOST_PX // classes)
    known = _labelled(networks, samples, kept / counts.clamp(min=1), seed)
    # A class of which fewer pixels are looked at counts for all that it has.
    weights = class_weights(samples, classes) * counts / kept.clamp(min=1)
    folds = _folds(known.cells, seed)
    rounds = int(folds.max()) + 1
    said = torch.zeros(len(networks), len(known.classes), classes)
    for fold in range(rounds if rounds > 1 else 0):
        shown, left_out = known.part(folds != fold), folds == fold
        for place, network in enumerate(networks):
            _fit(network, shown, weights, TRIAL_STEPS, seed)
            said[place, left_out] = _says(network, known.values[left_out])
        reporter.progress(fold + 1, rounds + 1, "rounds", "Training on single pixels")
    if rounds > 1:
        networks.weights.copy_(mixing(said, known, weights))
    for network in networks:
        _fit(network, known, weights, STEPS, seed)
    reporter.progress(rounds + 1, rounds + 1, "rounds", "Training on single pixels")
    networks.eval()


def mixing(said: Tensor, known: Labelled, weights: Tensor) -> Tensor:
    """What each network counts for, (n,), so that their mean says most of pixels that none was shown.

    The fewer the pieces of ground, the nearer to equal: cells that lie between labels that were shown are easier than
    ground further off. said: probabilities (n,N,K).
    """
    right = said.gather(2, known.classes.expand(len(said), -1)[..., None])[..., 0].clamp(min=1e-6)
    counts = weights[known.classes] / weights[known.classes].sum()
    shares = torch.zeros(len(said), requires_grad=True)
    optimiser = torch.optim.LBFGS([shares], max_iter=LINEAR_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = -(counts * (shares.softmax(0) @ right).log()).sum()
        found.backward()
        return found

    optimiser.step(loss)
    trust = known.pieces / (known.pieces + EQUAL_PIECES)
    return trust * shares.detach().softmax(0) + (1 - trust) / len(said)


def _fit(network: PixelNetwork, known: Labelled, weights: Tensor, steps: int, seed: int) -> None:
    network.measure(known.values)
    values = network.standardised(known.values)
    if network.view.hidden:
        _fit_deep(network, values, known.classes, weights, steps, seed)
    else:
        _fit_linear(network, values, known, weights)
    network.eval()


def _fit_deep(network: PixelNetwork, values: Tensor, classes: Tensor, weights: Tensor, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            module.reset_parameters()
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
    # Of few pixels a step sees an eighth: more would be the same ones again.
    batch = max(LEAST_BATCH_PX, min(BATCH_PX, len(values) // 8))
    for _ in range(steps):
        picked = torch.randint(len(values), (batch,))
        seen = values[picked]
        logits = network.of_standardised(seen + network.view.noise * torch.randn_like(seen))
        loss = functional.cross_entropy(logits, classes[picked], weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()


def _fit_linear(network: PixelNetwork, values: Tensor, known: Labelled, weights: Tensor) -> None:
    """A logistic regression; it begins at zero and has one solution."""
    layer = network.first
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    stiffness = STIFFNESS / max(1, known.pieces)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=LINEAR_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = functional.cross_entropy(layer(values), known.classes, weights)
        found = found + stiffness * layer.weight.square().sum()
        found.backward()
        return found

    optimiser.step(loss)


@torch.inference_mode()
def _says(network: PixelNetwork, values: Tensor) -> Tensor:
    """Probabilities (N,K) of (N, all inputs)."""
    return network.of_standardised(network.standardised(values)).softmax(1)


def _folds(cells: Tensor, seed: int) -> Tensor:
    """(N,) which of at most `FOLDS` parts each pixel is in; all pixels of a cell are in one."""
    found, places = torch.unique(cells, return_inverse=True)
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))
    return (order % min(FOLDS, len(found)))[places]


@torch.no_grad()
def _labelled(networks: PixelNetworks, samples: Sequence[Sample], shares: Tensor, seed: int) -> Labelled:
    """Pixels to train on: of each class about its share (K,), drawn by chance."""
    generator = torch.Generator().manual_seed(seed)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for number, sample in enumerate(samples):
        rows, columns = (sample.target != UNLABELLED).nonzero(as_tuple=True)
        chosen = torch.rand(len(rows), generator=generator) < shares[sample.target[rows, columns]]
        if chosen.any():
            rows, columns = rows[chosen], columns[chosen]
            encoded = [maps[None].float() for maps in sample.encoded]
            values = networks.values(sample.pixels[None], encoded)[0, rows, columns]
            cells = (number * 4096 + rows // CELL_PX) * 4096 + columns // CELL_PX
            found.append((values, sample.target[rows, columns], cells))
    values, classes, cells = (torch.cat(parts) for parts in zip(*found))
    return Labelled(values, classes, cells)
