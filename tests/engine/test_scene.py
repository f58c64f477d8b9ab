"""Scene classification: statistics, kernel machine, scene head, training and the model file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.scene_sets import open_scenes
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.features.cells import cell_scales, summarise
from satdifuser_qgis.engine.features.statistics import TEXTURE_COLUMNS, scene_statistics
from satdifuser_qgis.engine.heads.kernel import KernelMachine, RankNormal
from satdifuser_qgis.engine.inference.landcover_model import LandCoverModel
from satdifuser_qgis.engine.inference.scene_model import SceneModel
from satdifuser_qgis.engine.model_file import BackboneReference, ModelHeader, write_model
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.scene import SceneDecoder, probabilities
from satdifuser_qgis.engine.streams import Scale
from satdifuser_qgis.engine.training.kernel import fit_kernel
from satdifuser_qgis.engine.training.scene import SceneSettings, SceneTiles, fit_scene, share_for, steps_for
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.codec import to_plain
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.folders import resources
from tests.engine.tiny import pixel_backbone

SHIPPED = resources() / "scenes" / "eurosat-scenes.safetensors"
SCALES = (Scale(2, ("a", "b"), (6, 6)), Scale(4, ("c",), (8,)))


def painted(count: int, px: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of three kinds: noise, a bright line across, stripes."""
    rng = np.random.default_rng(seed)
    tiles = rng.normal(0.4, 0.05, (count, 3, px, px))
    kinds = np.arange(count) % 3
    for tile, kind in zip(tiles, kinds):
        at = int(rng.integers(4, px - 4))
        if kind == 1:
            tile[:, at : at + 2] += 0.3
        if kind == 2:
            tile[:, :, at % 4 :: 4] += 0.1
    return tiles.clip(0, 1).astype(np.float32), kinds


def config(side: int, fusion: str = "global", landmarks: int = 40) -> DecoderConfig:
    return DecoderConfig(
        fusion=fusion,
        head="scene",
        scales=SCALES,
        times=(1, 101),
        classes=3,
        width=8,
        side_channels=side,
        head_channels=8,
        landmarks=landmarks if side else 0,
    )


def told(count: int = 120, seed: int = 0) -> SceneTiles:
    """Cells that tell class 0 from the rest, statistics that tell class 1 from the rest, both noisily."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 3
    cells = [torch.randn(count, 2, sum(s.channels), 2, 2, generator=generator) for s in SCALES]
    cells[0][targets == 0, :, :3] += 3
    statistics = torch.randn(count, 5, generator=generator)
    statistics[targets == 1, 0] += 4
    return SceneTiles(cells, statistics, targets)


def accuracy(model: SceneDecoder, tiles: SceneTiles) -> float:
    found = probabilities(model, tiles.cells, tiles.statistics)
    assert torch.allclose(found.sum(1), torch.ones(len(tiles)), atol=1e-5)
    return float((found.argmax(1) == tiles.targets).float().mean())


def test_statistics_of_a_tile_depend_on_that_tile_alone_and_their_number_on_nothing():
    tiles, _ = painted(5)
    together = scene_statistics(tiles)
    assert scene_statistics(tiles[3:4]) == pytest.approx(together[3:4], rel=1e-4, abs=1e-5)
    assert scene_statistics(painted(1, px=48)[0]).shape[1] == together.shape[1] > TEXTURE_COLUMNS
    assert np.isfinite(together).all()


def test_statistics_of_a_flat_tile_are_finite_and_say_its_colour():
    flat = np.broadcast_to(np.array([0.1, 0.2, 0.3], np.float32)[None, :, None, None], (1, 3, 32, 32))
    found = scene_statistics(flat)[0]
    assert np.isfinite(found).all()
    assert found[:2] == pytest.approx([0.1, 0], abs=1e-6)


def test_statistics_hardly_change_when_a_tile_is_turned():
    tiles, _ = painted(30)
    straight, turned = scene_statistics(tiles), scene_statistics(np.rot90(tiles, axes=(2, 3)))
    spread = straight.std(0) + 1e-3
    assert np.median(np.abs(straight - turned) / spread) < 0.1


def test_lines_are_seen_by_the_statistics_after_texture():
    tiles, kinds = painted(60)
    shapes = scene_statistics(tiles)[:, TEXTURE_COLUMNS:]
    apart = np.abs(shapes[kinds == 1].mean(0) - shapes[kinds == 0].mean(0)) / (shapes[kinds == 0].std(0) + 1e-6)
    assert apart.max() > 5


def test_cells_keep_mean_and_deviation_of_each_stream():
    pyramid = [torch.randn(3, 2, 12, 16, 16), torch.randn(3, 2, 8, 8, 8)]
    cells = summarise(pyramid, SCALES)
    scales = cell_scales(SCALES)
    assert [part.shape for part in cells] == [(3, 2, 24, 2, 2), (3, 2, 16, 2, 2)]
    first, second = cells[0].split(scales[0].channels, 2)
    quarter = pyramid[0][:, :, 6:, :8, 8:]
    assert torch.allclose(second[:, :, :6, 0, 1], quarter.mean((3, 4)), atol=1e-5)
    assert torch.allclose(second[:, :, 6:, 0, 1], quarter.std((3, 4), correction=0), atol=1e-4)
    assert first.shape == second.shape


def test_ranks_are_normal_and_know_no_outliers():
    values = torch.rand(500, 2).exp()
    ranks = RankNormal(2)
    ranks.measure(values)
    found = ranks(values)
    assert found.std(0).tolist() == pytest.approx([1, 1], abs=0.1)
    assert ranks(torch.tensor([[1e9, -1e9]])).abs().max() < 3
    assert (found[values[:, 0].argsort(), 0].diff() >= 0).all()


def test_scores_of_left_out_tiles_are_those_of_a_machine_without_them():
    tiles = told(60)
    machine = KernelMachine(5, 60, 3)
    scores = fit_kernel(machine, tiles.statistics, tiles.targets, seed=0)
    assert (machine(tiles.statistics).argmax(1) == tiles.targets).float().mean() > 0.6
    # What it was told of a tile must not shine through: a false label does not raise the score of its own tile.
    wrong = tiles.targets.clone()
    wrong[0] = 2 - wrong[0]
    assert fit_kernel(KernelMachine(5, 60, 3), tiles.statistics, wrong, seed=0)[0, 0] == pytest.approx(
        float(scores[0, 0]), abs=0.3
    )


@pytest.mark.parametrize("fusion", ["global", "localized", "mixture"])
def test_fused_features_add_what_the_statistics_leave_open(fusion):
    training, unseen = told(), told(seed=1)
    settings = SceneSettings(steps=60, batch=32, learning_rate=5e-3)
    model = fit_scene(config(5, fusion), training, settings, Silent(), "")
    by_statistics = float((model.head.kernel(unseen.statistics).argmax(1) == unseen.targets).float().mean())
    assert 0.5 < by_statistics < 0.8
    assert accuracy(model, unseen) > by_statistics + 0.15


def test_part_of_the_probabilities_are_the_kernel_machines_alone():
    tiles = told(60)
    model = fit_scene(config(5), tiles, SceneSettings(steps=3), Silent(), "")
    with torch.inference_mode():
        scores = model.head.kernel(tiles.statistics)
        maps = model.decoder.fuser(model.standardised(tiles.cells)).maps
        members = model.head.member_logits(maps, scores).softmax(2).mean(1)
        expected = (members + (model.head.gain * scores).softmax(1)) / 2
    assert torch.allclose(probabilities(model, tiles.cells, tiles.statistics), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_classifier_and_a_tile_does_not_depend_on_its_batch():
    tiles = told(40)
    settings = SceneSettings(steps=5, batch=16)
    one, other = (fit_scene(config(5), tiles, settings, Silent(), "").state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)
    model = fit_scene(config(5), tiles, settings, Silent(), "")
    whole = probabilities(model, tiles.cells, tiles.statistics)
    single = probabilities(model, [part[7:8] for part in tiles.cells], tiles.statistics[7:8])
    assert torch.allclose(whole[7:8], single, atol=1e-5)


def test_a_scene_head_asks_for_its_statistics():
    model = SceneDecoder(config(5))
    with pytest.raises(ValueError, match="5 side channels"):
        model.decoder([torch.zeros(1, 2, 12, 2, 2), torch.zeros(1, 2, 8, 2, 2)], (2, 2))


def test_a_scene_model_reads_back_and_names_tiles_and_no_map_is_made_of_it(tmp_path):
    device = torch.device("cpu")
    folder = pixel_backbone(tmp_path / "tiny", attention=False)
    extractor = Extractor(load_backbone(str(folder), device), Recipe(), device)
    tiles = torch.from_numpy(painted(12)[0]) * 2 - 1
    statistics = torch.from_numpy(scene_statistics((tiles.numpy() + 1) / 2))
    cells = summarise(extractor(tiles, [(0, 0)] * 12), extractor.scales)
    shape = {"scales": cell_scales(extractor.scales), "times": extractor.recipe.times}
    chosen = dataclasses.replace(config(statistics.shape[1], landmarks=12), **shape)
    training = SceneTiles(cells, statistics, torch.arange(12) % 3)
    decoder = fit_scene(chosen, training, SceneSettings(steps=3), Silent(), "")
    backbone = extractor.backbone
    header = ModelHeader(
        name="scenes",
        classes=tuple(LandCoverClass(code, f"kind {code}", "#009e73") for code in (1, 2, 3)),
        bands=(1, 2, 3),
        band_names=("", "", ""),
        scaling=Scaling("constant", (0.0,) * 3, (255.0,) * 3),
        gsd_m=10.0,
        tile_px=32,
        backbone=BackboneReference(str(folder), backbone.name, backbone.revision, backbone.digest),
        features=to_plain(extractor.recipe),
        decoder=to_plain(chosen),
        task="scene",
    )
    write_model(tmp_path / "m.safetensors", header, {k: v.half() for k, v in decoder.state_dict().items()})
    model = SceneModel.load(tmp_path / "m.safetensors", device)
    assert model.header == dataclasses.replace(header, name="m")
    expected = probabilities(decoder, cells, statistics)
    assert torch.allclose(model.probabilities(tiles), expected, atol=0.02)
    averaged = model.probabilities(tiles, turns=8)
    assert torch.allclose(averaged, model.probabilities(torch.rot90(tiles, 1, (2, 3)), turns=8), atol=1e-4)
    with pytest.raises(EngineError, match="names whole scenes") as caught:
        LandCoverModel.load(tmp_path / "m.safetensors", device)
    assert caught.value.code == "bad_model"


def test_the_shipped_classifier_belongs_to_the_shipped_backbone():
    model = SceneModel.load(SHIPPED, torch.device("cpu"))
    tiles = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = model.probabilities(tiles)
    assert found.shape == (3, 10)
    assert torch.allclose(found.sum(1), torch.ones(3))
    assert not torch.allclose(found[0], found[1])


def test_the_shipped_classifier_names_real_tiles_of_ground_that_no_training_saw(shared_data):
    model = SceneModel.load(SHIPPED, torch.device("cpu"))
    scenes = open_scenes("eurosat", shared_data, [200], [0], None)
    rows = scenes.test[::13]
    found = model.probabilities(torch.from_numpy(scenes.tiles[rows]).float() / 127.5 - 1).argmax(1).numpy()
    assert len(found) == 101
    assert (found == scenes.targets[rows]).mean() > 0.85


def test_a_training_that_diverges_is_told():
    tiles = told(20)
    tiles.cells[0][:] = float("nan")
    with pytest.raises(EngineError, match="diverged") as caught:
        fit_scene(config(0), tiles, SceneSettings(steps=2), Silent(), "")
    assert caught.value.code == "bad_input"


def test_the_networks_count_for_more_the_more_tiles():
    assert [share_for(tiles) for tiles in (20, 300, 900, 5700)] == [0.5, 0.5, 0.75, 0.95]
    model = fit_scene(config(5), told(900), SceneSettings(steps=2), Silent(), "")
    assert float(model.head.share) == 0.75


def test_steps_grow_slower_than_tiles():
    few, some, many = (steps_for(tiles, 128) for tiles in (200, 2_000, 20_000))
    assert few < some < many < 3 * some
