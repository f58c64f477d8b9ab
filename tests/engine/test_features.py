"""Features: the same numbers for a tile whatever is computed beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import pixel_backbone

from satdifuser_qgis.engine.backbones import Backbone, load_backbone
from satdifuser_qgis.engine.features import Extractor, Recipe, position_noise
from satdifuser_qgis.engine.features.batching import Batches
from satdifuser_qgis.engine.padding import pad_to_multiple
from satdifuser_qgis.protocol.codec import from_plain, to_plain
from satdifuser_qgis.protocol.errors import EngineError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(pixel_backbone(tmp_path_factory.mktemp("features"))), CPU)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 16, 24, generator=torch.Generator().manual_seed(3)) * 2 - 1


POSITIONS = [(0, 0), (0, 24), (16, 0), (16, 24)]


@pytest.mark.parametrize("mode", ["noised", "inversion"])
def test_shapes_follow_the_scales(backbone: Backbone, images: torch.Tensor, mode: str) -> None:
    extractor = Extractor(backbone, Recipe(times=(5, 40, 90), mode=mode), CPU)
    pyramid = extractor(images, POSITIONS)
    assert [scale.stride for scale in extractor.scales] == [2, 4]
    for maps, scale in zip(pyramid, extractor.scales):
        assert maps.shape == (4, 3, sum(scale.channels), 16 // scale.stride, 24 // scale.stride)
        assert torch.isfinite(maps).all()


@pytest.mark.parametrize("mode", ["noised", "inversion"])
def test_a_tile_does_not_depend_on_its_batch(backbone: Backbone, images: torch.Tensor, mode: str) -> None:
    recipe = Recipe(times=(5, 40), mode=mode, steps=100)
    together = Extractor(backbone, recipe, CPU)(images, POSITIONS)
    alone = Extractor(backbone, recipe, CPU)(images[2:3], POSITIONS[2:3])
    small = Extractor(backbone, recipe, CPU, batch=3)(images, POSITIONS)
    for a, b, c in zip(together, alone, small):
        torch.testing.assert_close(a[2:3], b, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(a, c, atol=1e-5, rtol=1e-4)


def test_noise_belongs_to_seed_place_and_time() -> None:
    base = position_noise((3, 4), 1, 2, 3, 4)
    assert torch.equal(base, position_noise((3, 4), 1, 2, 3, 4))
    for other in [(0, 2, 3, 4), (1, 0, 3, 4), (1, 2, 0, 4), (1, 2, 3, 0), (1, -2, 3, 4)]:
        assert not torch.equal(base, position_noise((3, 4), *other))


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (3, 5), (1, 1)])
def test_odd_sizes_give_maps_of_the_rounded_up_size(backbone: Backbone, size: tuple[int, int]) -> None:
    extractor = Extractor(backbone, Recipe(), CPU)
    pyramid = extractor(torch.zeros(1, 3, *size), [(0, 0)])
    assert [tuple(m.shape[-2:]) for m in pyramid] == [
        (-(-size[0] // scale.stride), -(-size[1] // scale.stride)) for scale in extractor.scales
    ]


def test_padding_mirrors_and_keeps_what_fits() -> None:
    image = torch.arange(6.0).view(1, 1, 2, 3)
    assert pad_to_multiple(image, 4)[0, 0, :, 3].tolist() == [2.0, 5.0, 5.0, 5.0]
    assert pad_to_multiple(torch.arange(9.0).view(1, 1, 3, 3), 4)[0, 0, 0].tolist() == [0.0, 1.0, 2.0, 1.0]
    assert pad_to_multiple(image, 1) is image


@pytest.mark.parametrize("mode", ["noised", "inversion"])
def test_no_hook_is_left_behind(backbone: Backbone, images: torch.Tensor, mode: str) -> None:
    Extractor(backbone, Recipe(mode=mode), CPU)(images, POSITIONS)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in backbone.network.modules())


def test_the_network_is_left_after_the_last_needed_stream(backbone: Backbone, images: torch.Tensor) -> None:
    ran: list[str] = []
    handle = backbone.network.conv_out.register_forward_hook(lambda *_: ran.append("end"))
    try:
        Extractor(backbone, Recipe(), CPU)(images, POSITIONS)
        assert not ran
        Extractor(backbone, Recipe(times=(30,), mode="inversion", steps=50), CPU)(images, POSITIONS)
        assert len(ran) == 3  # the call on the clean image and those at 0 and 20; the one at 30 ends early
    finally:
        handle.remove()


def test_inversion_passes_any_time_and_starts_clean(backbone: Backbone) -> None:
    calls = Extractor(backbone, Recipe(times=(7, 45), mode="inversion"), CPU)._calls
    assert [call.time for call in calls] == [7, 7, 20, 45]
    assert [call.keep for call in calls] == [False, True, False, True]
    assert calls[0].alpha == 1.0


def test_published_times_must_lie_on_its_grid(backbone: Backbone) -> None:
    with pytest.raises(EngineError, match="no timestep 7") as caught:
        Extractor(backbone, Recipe(times=(7,), mode="inversion", published=True), CPU)
    assert caught.value.code == "bad_request"
    with pytest.raises(EngineError, match="single time"):
        Extractor(backbone, Recipe(times=(7, 9), published=True), CPU)


def test_unknown_streams_and_times_are_refused(backbone: Backbone) -> None:
    with pytest.raises(EngineError, match='no stream "up9"'):
        Extractor(backbone, Recipe(streams=("up9",)), CPU)
    with pytest.raises(ValueError, match="ascend"):
        Recipe(times=(40, 5))
    with pytest.raises(ValueError, match="0 to 999"):
        Recipe(times=(-1,))
    with pytest.raises(ValueError, match="one of noised"):
        Recipe(mode="cleanest")


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(times=(1, 2), streams=("a",), mode="inversion", seed=4)
    assert from_plain(Recipe, to_plain(recipe)) == recipe


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: not enough memory"), MemoryError()]
)
def test_batches_halve_until_they_fit(error: BaseException) -> None:
    sizes: list[int] = []

    def work(part: slice) -> None:
        size = part.stop - part.start
        if size > 2:
            raise error
        sizes.append(size)

    batches = Batches()
    batches.run(9, work)
    assert sum(sizes) == 9
    assert batches.limit == 2


def test_a_single_tile_that_does_not_fit_is_told() -> None:
    def work(_part: slice) -> None:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(EngineError, match="single tile") as caught:
        Batches().run(4, work)
    assert caught.value.code == "out_of_memory"


def test_other_errors_are_not_swallowed() -> None:
    def work(_part: slice) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Batches().run(4, work)


def test_published_inversion_gives_the_golden_features(shared_reference: Path) -> None:
    folder = shared_reference / "inversion"
    stored = load_file(folder / "cases" / "inversion.safetensors")
    latent = load_backbone(str(folder / "backbone"), CPU)
    latent.codec.encode = lambda images, noise=None: stored["latents_in"]  # type: ignore[method-assign]
    extractor = Extractor(latent, Recipe(mode="inversion", published=True, metadata="none"), CPU)
    pyramid = extractor(torch.zeros(2, 3, 128, 128), [(0, 0), (0, 128)])
    assert extractor.recipe.times == (21, 61, 161)
    for maps, scale in zip(pyramid, extractor.scales):
        expected = torch.stack([torch.cat([stored[f"k{k}/{n}"] for n in scale.streams], 1) for k in (47, 45, 40)], 1)
        torch.testing.assert_close(maps, expected, atol=2e-5, rtol=2e-4)


def test_published_sampling_of_latents_is_repeatable(shared_reference: Path) -> None:
    latent = load_backbone(str(shared_reference / "inversion" / "backbone"), CPU)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    recipe = Recipe(times=(21,), mode="inversion", published=True)
    first = Extractor(latent, recipe, CPU)(images, POSITIONS[:2])
    again = Extractor(latent, recipe, CPU)(images[1:], POSITIONS[1:2])
    other = Extractor(latent, recipe, CPU)(images[1:], POSITIONS[2:3])
    torch.testing.assert_close(first[0][1:], again[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(again[0], other[0])


def test_cross_attention_and_odd_latents_work(shared_reference: Path) -> None:
    latent = load_backbone(str(shared_reference / "inversion" / "backbone"), CPU)
    names = ("up_blocks.3.attentions.0.transformer_blocks.0.attn2", "mid_block.resnets.0")
    extractor = Extractor(latent, Recipe(times=(10,), streams=names), CPU)
    pyramid = extractor(torch.zeros(1, 3, 72, 100), [(0, 0)])
    assert [tuple(maps.shape[-2:]) for maps in pyramid] == [(9, 13), (2, 2)]
    assert [scale.streams for scale in extractor.scales] == [(names[0],), (names[1],)]
