"""The companion encoder: what the published network gives, on images of any size and in any company."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from satdifuser_qgis.engine.encoders.efficientnet_lite import EfficientNetLite2, fold
from satdifuser_qgis.engine.encoders.encoder import Encoder, load_encoder
from satdifuser_qgis.engine.streams import group_by_stride

CPU = torch.device("cpu")

# Values at (channel, row, column) of the map of each stride for `pattern(64)`, by the network that the weights were
# published for: efficientnet-lite-pytorch 0.1.0, EfficientNet.from_pretrained("efficientnet-lite2", image_size=64),
# outputs of its blocks 0, 3, 6, 14 and 20.
PUBLISHED = {
    2: {(0, 0, 0): -2.1656, (7, 1, 31): -2.7405, (15, 16, 0): -3.6468},
    4: {(0, 0, 0): 23.1386, (7, 1, 15): 5.5321, (23, 8, 0): -1.6616},
    8: {(0, 0, 0): 23.9385, (7, 1, 7): -2.7686, (47, 4, 0): 5.6958},
    16: {(0, 0, 0): 2.5878, (7, 1, 3): 0.8657, (119, 2, 0): 2.3351},
    32: {(0, 0, 0): 2.6945, (7, 1, 1): -2.4308, (351, 1, 0): -2.8437},
}


def pattern(size: int) -> Tensor:
    """(1,3,size,size) from 18 to 253: waves with a fine raster on them."""
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    waves = [127 + 110 * torch.sin(y / 5 + b) * torch.cos(x / 7 - b) + (13 * y + 7 * x + 5 * b) % 17 for b in range(3)]
    return torch.stack(waves)[None]


def noise(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    found = load_encoder(CPU)
    assert isinstance(found, Encoder)
    return found


@pytest.mark.parametrize("deepest", [16, 32])
def test_its_maps_are_those_of_the_published_network(deepest):
    found = load_encoder(CPU, deepest)
    maps = found.features(pattern(64), scale=1)
    assert [stream.stride for stream in found.streams(1)] == [stride for stride in PUBLISHED if stride <= deepest]
    for stream in found.streams(1):
        for place, value in PUBLISHED[stream.stride].items():
            assert maps[stream.name][0][place].item() == pytest.approx(value, abs=2e-4)


@pytest.mark.parametrize(("scale", "strides"), [(1, (2, 4, 8, 16)), (2, (1, 2, 4, 8)), (4, (1, 2, 4)), (16, (1,))])
def test_streams_tell_channels_and_strides_in_image_pixels(encoder, scale, strides):
    streams = encoder.streams(scale)
    maps = encoder.features(noise(1, 32, 48), scale)
    assert tuple(stream.stride for stream in streams) == strides
    assert [stream.channels for stream in streams] == [16, 24, 48, 120][-len(strides) :]
    assert list(maps) == [stream.name for stream in streams]
    for stream in streams:
        assert maps[stream.name].shape == (1, stream.channels, 32 // stream.stride, 48 // stream.stride)
        assert maps[stream.name].dtype == torch.float32
    assert [scale.stride for scale in group_by_stride(streams)] == list(strides)


def test_a_stream_keeps_its_name_at_every_scale(encoder):
    assert [stream.name for stream in encoder.streams(2)] == [stream.name for stream in encoder.streams(1)]
    assert encoder.streams(2)[-1].name == "efficientnet-lite2.stride16"


@pytest.mark.parametrize("scale", [0, -2, 3, 32])
def test_a_scale_that_cannot_be_is_refused(encoder, scale):
    with pytest.raises(ValueError, match=f"enlarged by {scale}: it is one of 1, 2, 4, 8, 16"):
        encoder.features(noise(1, 16, 16), scale)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 40), (45, 33)])
def test_odd_sizes_are_mirrored_out_and_cut_back(encoder, size):
    height, width = size
    image = noise(1, height, width)
    maps = encoder.features(image, scale=2)
    for stream in encoder.streams(2):
        assert maps[stream.name].shape[-2:] == (-(-height // stream.stride), -(-width // stream.stride))
    below, right = -height % 8, -width % 8
    mode = "reflect" if below < height and right < width else "replicate"
    whole = encoder.features(functional.pad(image, (0, right, 0, below), mode=mode), scale=2)
    for name, map_ in maps.items():
        assert torch.equal(map_, whole[name][..., : map_.shape[-2], : map_.shape[-1]])


def test_a_tile_does_not_depend_on_its_batch(encoder):
    tiles = noise(5, 48, 48)
    together = encoder.features(tiles, scale=2)
    turned = encoder.features(tiles.flip(0), scale=2)
    alone = [encoder.features(tile[None], scale=2) for tile in tiles]
    for name, maps in together.items():
        torch.testing.assert_close(turned[name].flip(0), maps, rtol=0, atol=0)
        torch.testing.assert_close(torch.cat([each[name] for each in alone]), maps, rtol=0, atol=0)


def test_tiles_computed_at_once_are_the_same_within_rounding(encoder):
    """As on a graphics device."""
    tiles = (noise(3, 64, 64) - 127) / 128
    for stride, maps in encoder.network(tiles).items():
        alone = torch.cat([encoder.network(tile[None])[stride] for tile in tiles])
        torch.testing.assert_close(maps, alone, rtol=1e-4, atol=2e-4)


def test_a_cell_reads_around_its_own_middle(encoder):
    """Within a third, right and down, though all odd rows of padding are below: so maps are enlarged as they are."""
    image = ((functional.interpolate(pattern(128), scale_factor=2.0, mode="bilinear") - 127) / 128).requires_grad_()
    maps = encoder.network(image)
    for stride, found in maps.items():
        at = found.shape[-1] // 2
        power = torch.zeros(256, 256)
        for draw in range(8):
            mix = torch.randn(found.shape[1], generator=torch.Generator().manual_seed(draw)) / found[0].std((1, 2))
            (gradient,) = torch.autograd.grad((found[0, :, at, at] * mix).sum(), image, retain_graph=True)
            power += gradient[0].square().sum(0)
        places = torch.arange(256) + 0.5
        for side in (power.sum(0), power.sum(1)):
            middle = (side * places).sum() / side.sum()
            assert abs(middle - (at + 0.5) * stride) < 0.35 * stride


def test_maps_of_a_shifted_image_are_shifted(encoder):
    """Away from the edge, by whole cells: a pixel's features do not depend on which tile holds it."""
    wide = pattern(320)
    left = encoder.features(wide[..., :256], 1)["efficientnet-lite2.stride8"]
    right = encoder.features(wide[..., 64:], 1)["efficientnet-lite2.stride8"]
    shared, inner = left[..., 8:], right[..., :24]
    torch.testing.assert_close(shared[..., 10:22, 10:14], inner[..., 10:22, 10:14], rtol=1e-3, atol=1e-2)


def test_features_carry_no_gradients(encoder):
    maps = encoder.features(noise(1, 16, 16).requires_grad_(), scale=1)
    assert not any(map_.requires_grad for map_ in maps.values())
    assert not any(weight.requires_grad for weight in encoder.network.parameters())


def test_norms_are_folded_into_the_convolutions():
    """Of a norm that does something: its gain, its offset and what it has seen."""
    generator = torch.Generator().manual_seed(0)
    network = EfficientNetLite2(2)
    published = _published(network, generator)
    network.load_state_dict(fold(published, 2))
    image = torch.randn(1, 3, 8, 8, generator=generator)
    padded = functional.pad(image, (0, 1, 0, 1))
    convolved = functional.conv2d(padded, published["_conv_stem.weight"], stride=2)
    norm = [published[f"_bn0.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    torch.testing.assert_close(network.stem(image), functional.batch_norm(convolved, *norm, eps=1e-3))


def _published(network: EfficientNetLite2, generator: torch.Generator) -> dict[str, Tensor]:
    """Random weights under the published names, of the stem and the first block."""
    found: dict[str, Tensor] = {}
    for name, norm, convolution in (
        ("_conv_stem", "_bn0", network.stem),
        ("_blocks.0._depthwise_conv", "_blocks.0._bn1", network.blocks[0].depthwise),
        ("_blocks.0._project_conv", "_blocks.0._bn2", network.blocks[0].project),
    ):
        found[f"{name}.weight"] = torch.randn(convolution.weight.shape, generator=generator)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = torch.rand(convolution.out_channels, generator=generator) + 0.5
    return found


def test_how_long_it_takes(encoder):
    for scale in (1, 2):
        tile = noise(1, 128, 128)
        encoder.features(tile, scale)
        started = time.thread_time()
        encoder.features(tile, scale)
        print(f"128 px at scale {scale}: {1000 * (time.thread_time() - started):.1f} ms")
