"""Scene classifiers without the plugin's features: forest and kernel machine on statistics, a network from scratch."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

TREES = 300
SVM_C = (1.0, 3.0, 10.0, 30.0)
# C is chosen on at most so many of the training tiles: the search costs the square of their number.
MOST_SEARCHED = 3_000
WIDTHS = (24, 48, 96)
BATCH, LEARNING_RATE = 64, 2e-3


def forest(x: NDArray[Any], y: NDArray[Any], unseen: NDArray[Any], seed: int) -> tuple[NDArray[Any], int, int]:
    """Predictions for ``unseen``, number of learnt values (nodes), bytes."""
    model = RandomForestClassifier(TREES, random_state=seed).fit(x, y)
    nodes = sum(tree.tree_.node_count for tree in model.estimators_)
    return model.predict(unseen), nodes, len(pickle.dumps(model))


def support_vectors(x: NDArray[Any], y: NDArray[Any], unseen: NDArray[Any], seed: int) -> tuple[NDArray[Any], int, int]:
    """A Gaussian kernel on values turned normal by their ranks; its C by cross-validation on the training tiles."""
    if len(x) > MOST_SEARCHED:
        part = np.random.default_rng(seed).permutation(len(x))[:MOST_SEARCHED]
    else:
        part = np.arange(len(x))
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    search = GridSearchCV(_machine(len(part) // 2), {"svc__C": SVM_C}, cv=folds, scoring="f1_macro")
    model = _machine(len(x)).set_params(**search.fit(x[part], y[part]).best_params_).fit(x, y)
    machine = model[-1]
    return model.predict(unseen), machine.dual_coef_.size, 4 * (machine.dual_coef_.size + machine.support_vectors_.size)


def _machine(tiles: int) -> Any:
    return make_pipeline(QuantileTransformer(n_quantiles=min(1_000, tiles), output_distribution="normal"), SVC())


class SmallNetwork(nn.Module):
    """Three levels of two convolutions, 0.2 million parameters. Image (B,3,H,W) in -1..1 to logits (B,classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS):
            for width, stride in ((inputs, 2), (outputs, 1)):
                layers += [nn.Conv2d(width, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.classify = nn.Linear(2 * WIDTHS[-1], classes)

    def forward(self, image: Tensor) -> Tensor:
        """From mean and maximum of the last maps."""
        maps = self.layers(image)
        return self.classify(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))


def from_scratch(
    tiles: NDArray[np.uint8], y: NDArray[Any], unseen: NDArray[np.uint8], seed: int, steps: int = 0
) -> tuple[NDArray[Any], int, int]:
    """A small network on flipped and turned tiles; steps 0: a number that grows slowly with the labels."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = SmallNetwork(int(y.max()) + 1).to(memory_format=torch.channels_last)
    steps = steps or int(min(2_000, 300 + len(tiles) / 4))
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=5e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
    for _ in range(steps):
        rows = rng.integers(len(tiles), size=BATCH)
        batch = torch.rot90(_shown(tiles[rows]), int(rng.integers(4)), (2, 3))
        batch = batch.flip(3) if rng.integers(2) else batch
        loss = functional.cross_entropy(net(batch), torch.from_numpy(y[rows]), label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()
    with torch.inference_mode():
        parts = [net(_shown(unseen[i : i + 128])).argmax(1) for i in range(0, len(unseen), 128)]
    count = sum(weight.numel() for weight in net.parameters())
    return torch.cat(parts).numpy(), count, 2 * count


def _shown(tiles: NDArray[np.uint8]) -> Tensor:
    return (torch.from_numpy(tiles).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
