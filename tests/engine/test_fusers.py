"""Contract of fusers, and what each of them promises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine.backbones import Scale
from satdifuser_qgis.engine.fusers import FUSERS, build_fuser
from satdifuser_qgis.engine.fusers.bottleneck import NormedConv

SCALES = (Scale(2, ("a", "b"), (6, 4)), Scale(4, ("c",), (8,)), Scale(8, ("d", "e"), (8, 8)))
KINDS = [("global", {}), ("localized", {}), ("mixture", {}), ("mixture", {"mode": "dense"}), ("global", {"blocks": 2})]


def pyramid(batch: int = 3, steps: int = 2, size: tuple[int, int] = (12, 16), seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch, steps, sum(s.channels), *(math.ceil(side / s.stride) for side in size), generator=generator)
        for s in SCALES
    ]


def fuser(kind: str, options: dict[str, Any], steps: int = 2) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_fuser(kind, SCALES, steps, 8, **options)


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("size", [(12, 16), (13, 9), (1, 1)])
def test_contract_forward_and_backward_are_finite(kind: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    module, features = fuser(kind, options), pyramid(size=size)
    fused = module(features)
    assert [m.shape for m in fused.maps] == [(3, 8, *f.shape[-2:]) for f in features]
    loss = sum(m.square().mean() for m in fused.maps) + (0 if fused.balance is None else fused.balance)
    loss.backward()
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    assert grads
    assert all(torch.isfinite(g).all() for g in grads)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_contract_a_tile_does_not_depend_on_its_batch(kind: str, options: dict[str, Any]) -> None:
    module, features = fuser(kind, options).eval(), pyramid()
    together, alone = module(features).maps, module([f[1:2] for f in features]).maps
    for a, b in zip(together, alone):
        torch.testing.assert_close(a[1:2], b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_contract_weights_survive_a_file(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    module, other = fuser(kind, options), build_fuser(kind, SCALES, 2, 8, **options)
    save_file(module.state_dict(), tmp_path / "f.safetensors")
    other.load_state_dict(load_file(tmp_path / "f.safetensors"), strict=True)
    for a, b in zip(module(pyramid()).maps, other(pyramid()).maps):
        assert torch.equal(a, b)


def test_global_is_the_plain_weighted_sum() -> None:
    module, features = fuser("global", {}), pyramid()
    with torch.no_grad():
        module.mixing_weights.copy_(torch.randn(10))
        fused = module(features)
        w = module.mixing_weights.exp() / module.mixing_weights.exp().sum()
        phi = module.bottleneck_layers
        f = features[2]
        expected = sum(w[t * 5 + 3] * phi[3](f[:, t, :8]) + w[t * 5 + 4] * phi[4](f[:, t, 8:]) for t in range(2))
    torch.testing.assert_close(fused.maps[2], expected, atol=1e-5, rtol=1e-4)
    assert fused.weights["mixing"].sum().item() == pytest.approx(1)


def test_localized_weights_sum_to_one_at_each_pixel_and_every_stream_counts() -> None:
    module, features = fuser("localized", {"temperature": 0.5}), pyramid()
    fused = module(features)
    assert fused.weights["gate0"].shape == (3, 4, 6, 8)
    torch.testing.assert_close(fused.weights["gate0"].sum(1), torch.ones(3, 6, 8))
    changed = [f.clone() for f in features]
    changed[0][:, :, 6:] += 1
    assert not torch.allclose(module(changed).maps[0], fused.maps[0])


def test_published_slicing_reads_the_first_stream_only() -> None:
    scales = (Scale(2, ("a", "b"), (6, 6)),)
    module = build_fuser("localized", scales, 1, 8, slicing="published")
    features = [torch.randn(1, 1, 12, 4, 4)]
    changed = [torch.cat([features[0][:, :, :6], torch.randn(1, 1, 6, 4, 4)], dim=2)]
    assert torch.equal(module(features).maps[0], module(changed).maps[0])


def test_a_sparse_mixture_computes_only_the_chosen_experts() -> None:
    module, features = fuser("mixture", {"experts": 4, "top_k": 1}), pyramid(batch=1, steps=1)
    calls: list[int] = []
    for number, expert in enumerate(module.scale_moes[0].experts):
        expert.register_forward_hook(lambda *_, n=number: calls.append(n))
    module.eval()(features)
    assert len(calls) == 1


def test_dense_equals_sparse_with_all_experts() -> None:
    dense, sparse = (fuser("mixture", {"mode": m, "top_k": 4}) for m in ("dense", "sparse"))
    for a, b in zip(dense(pyramid()).maps, sparse(pyramid()).maps):
        torch.testing.assert_close(a, b)


def test_balance_is_zero_for_even_use_and_grows_with_imbalance() -> None:
    module = fuser("mixture", {})
    values = []
    for favour in (0.0, 1.0, 4.0):
        with torch.no_grad():
            for mixture in module.scale_moes:
                mixture.gate_network[0].weight.zero_()
                mixture.gate_network[0].bias.zero_()[0] = favour
        values.append(module(pyramid()).balance.item())
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize(
    ("channels", "limit", "groups"), [(96, 32, 32), (384, 32, 32), (24, 32, 24), (33, 32, 11), (16, 0, 4), (1, 0, 1)]
)
def test_groups_always_divide_the_channels(channels: int, limit: int, groups: int) -> None:
    assert NormedConv(3, channels, 1, limit).norm.num_groups == groups


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one of global"):
        build_fuser("mean", SCALES, 1, 8)
    with pytest.raises(ValueError, match="slicing"):
        build_fuser("localized", SCALES, 1, 8, slicing="odd")
    with pytest.raises(ValueError, match="top_k"):
        build_fuser("mixture", SCALES, 1, 8, experts=2, top_k=3)
    with pytest.raises(ValueError, match="mode"):
        build_fuser("mixture", SCALES, 1, 8, mode="odd")
    assert set(FUSERS) == {"global", "localized", "mixture"}
