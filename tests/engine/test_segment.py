"""Mapping end to end: the same map whatever the batch or extent, nodata kept, classes and colours of the model."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
import sqlite3
import threading
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import rasterio.shutil
import shapely
import torch
from affine import Affine
from scipy import ndimage

from satdifuser_qgis.engine.inference import finished, mapping
from satdifuser_qgis.engine.inference.landcover_model import LandCoverModel
from satdifuser_qgis.engine.model_file import read_model, write_model
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.raster.write import BandWriter
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.result import Result
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.engine.vector import patches
from satdifuser_qgis.engine.vector.label_raster import open_label_raster
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.folders import plugin_version
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_landscape, write_raster
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone, weigh_features


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, an image to map, and an image with a hole in it."""
    folder = tmp_path_factory.mktemp("world")
    image, labels = write_landscape(folder, height=200, width=260)
    request = TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(folder / "model.safetensors"),
        backbone=str(pixel_backbone(folder / "tiny")),
        epochs=6,
        scaling=1,
    )
    with pytest.MonkeyPatch.context() as patch, Outputs("made") as outputs:
        patch.setenv("SATDIFUSER_HOME", str(folder / "home"))
        trainsegmentation.run(request, Silent(), outputs)
        outputs.commit()
    weigh_features(Path(request.model))
    values, _ = landscape(height=170, width=300, seed=4)
    write_raster(folder / "other.tif", values)
    values[:, 40:90, 100:180] = 0
    write_raster(folder / "holed.tif", values, nodata=0)
    return folder


def run(request: SegmentRequest) -> Result:
    with Outputs("test") as outputs:
        result = segment.run(request, Silent(), outputs)
        outputs.commit()
    return result


@pytest.fixture
def request_(world: Path, tmp_path: Path) -> SegmentRequest:
    return SegmentRequest(
        input=str(world / "other.tif"),
        model=str(world / "model.safetensors"),
        output=str(tmp_path / "map.tif"),
        probabilities=str(tmp_path / "probabilities.tif"),
        entropy=str(tmp_path / "entropy.tif"),
    )


def _read(path: str) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read()


def test_all_outputs_lie_on_the_inputs_grid(request_, tmp_path):
    result = run(dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg")))
    with rasterio.open(request_.input) as image, rasterio.open(request_.output) as classes:
        assert (classes.transform, classes.shape, classes.crs) == (image.transform, image.shape, image.crs)
        assert set(np.unique(classes.read(1))) <= {1, 2, 3, 4}
        assert classes.colormap(1)[1][:3] == (0, 114, 178)
    shares, entropy = _read(request_.probabilities), _read(request_.entropy)
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert entropy.min() >= 0
    assert entropy.max() <= 1
    assert (shares.argmax(axis=0) + 1 == _read(request_.output)[0]).all()
    polygons = geopandas.read_file(tmp_path / "map.gpkg")
    assert list(polygons.columns) == ["class", "name", "area_m2", "area_px", "confidence", "geometry"]
    assert shapely.coverage_is_valid(polygons.geometry.values)
    assert polygons.area_px.sum() == 170 * 300
    assert result.values["megapixels_per_second"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "entropy.tif", "map.gpkg", "map.tif", "map.tif.aux.xml", "probabilities.tif"
    ]  # fmt: skip


def test_the_log_is_for_users_and_figures_on_the_computing_are_values(request_):
    notes = Notes()
    with Outputs("test") as outputs:
        result = segment.run(request_, notes, outputs)
    told = " ".join(notes.lines)
    assert not re.search(r"megapixel|a second|\btiles?\b|backbone", told), told
    assert {"seconds", "megapixels_per_second", "seams"} <= set(result.values)


def test_map_and_polygons_say_where_they_come_from(request_, tmp_path):
    request = dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg"), min_area=400)
    result = run(request)
    with rasterio.open(request.output) as file:
        tags = file.tags()
    told = pyogrio.read_info(request.polygons)["layer_metadata"]
    for found in (tags, told):
        assert (found["SATDIFUSER_MODEL"], found["SATDIFUSER_VERSION"]) == ("model", plugin_version())
        assert found["SATDIFUSER_BACKBONE"] == "tiny 1"
        assert found["SATDIFUSER_INPUT"].startswith("other ")
        assert float(found["SATDIFUSER_SEAMS"]) == result.values["seams"] > 0
    assert told["SATDIFUSER_MIN_AREA"] == "400"
    with contextlib.closing(sqlite3.connect(request.polygons)) as database:
        ((said,),) = database.execute("SELECT description FROM gpkg_contents").fetchall()
    assert said == f'Land cover of "other" by the model "model" (backbone tiny 1, SatDiFuser {plugin_version()})'
    first = Path(request.polygons).read_bytes()
    run(request)
    assert Path(request.polygons).read_bytes() == first


def assert_same(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> None:
    """Probabilities agree to rounding, and classes wherever the two best are not about equal."""
    (codes, shares), (others, other_shares) = first, second
    assert np.abs(shares - other_shares).max() < 1e-4
    best = np.sort(shares, axis=0)
    clear = best[-1] - best[-2] > 1e-3
    assert clear.mean() > 0.9
    assert (codes[0] == others[0])[clear].all()


def mapped(request: SegmentRequest) -> tuple[np.ndarray, np.ndarray]:
    """Codes and probabilities of a map."""
    run(request)
    return _read(request.output), _read(request.probabilities)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_batch_size_changes_nothing(request_, batch):
    expected = mapped(dataclasses.replace(request_, batch=5))
    assert_same(expected, mapped(dataclasses.replace(request_, batch=batch)))


@pytest.mark.parametrize(("side", "batch"), [(128, 4), (512, 4), (1024, 2), (2048, 1), (4096, 1)])
def test_tiles_of_many_pixels_share_a_call_with_fewer(side, batch):
    assert segment.automatic_batch(torch.device("cpu"), side) == batch


def test_the_number_of_threads_changes_nothing(request_):
    expected = mapped(request_)
    torch.set_num_threads(2)
    try:
        assert_same(expected, mapped(request_))
    finally:
        torch.set_num_threads(1)


def test_the_network_works_in_the_first_thread_and_files_are_written_beside_it(request_, monkeypatch):
    threads: dict[str, set[threading.Thread]] = {"network": set(), "files": set()}
    logits, write = LandCoverModel.logits, BandWriter.write

    def seen_logits(*arguments):
        threads["network"].add(threading.current_thread())
        return logits(*arguments)

    def seen_write(*arguments):
        threads["files"].add(threading.current_thread())
        write(*arguments)

    monkeypatch.setattr(LandCoverModel, "logits", seen_logits)
    monkeypatch.setattr(BandWriter, "write", seen_write)
    run(request_)
    assert threads["network"] == {threading.main_thread()}
    assert threads["files"]
    assert threading.main_thread() not in threads["files"]


def test_the_bar_goes_once_to_its_end_with_polygons_too(request_, tmp_path, monkeypatch):
    monkeypatch.setattr(patches, "STRIP_PX", 300 * 20)
    notes = Notes()
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg"), batch=1), notes, outputs)
    shares = [share for share, _ in notes.bar]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    drawing = [share for share, message in notes.bar if message == "Drawing polygons"]
    assert len(set(drawing)) == 9, "170 rows in strips of 20"


def test_an_extent_is_a_cut_of_the_whole(request_):
    codes, whole = mapped(request_)
    with rasterio.open(request_.input) as image:
        left, top = image.transform @ (57, 31)
        right, bottom = image.transform @ (203.5, 120.2)
    part = mapped(dataclasses.replace(request_, extent=(left, bottom, right, top)))
    assert part[1].shape[1:] == (90, 147)
    assert_same((codes[:, 31:121, 57:204], whole[:, 31:121, 57:204]), part)


def test_blocks_of_columns_do_not_show(request_, monkeypatch):
    expected = mapped(request_)
    monkeypatch.setattr(mapping, "WIDEST_PX", 1)
    monkeypatch.setattr(mapping, "FEWEST_TILES", 1)
    blocks = []
    cut = mapping.MapPlan.blocks

    def noting(plan: mapping.MapPlan) -> list[Window]:
        blocks[:] = cut(plan)
        return blocks

    monkeypatch.setattr(mapping.MapPlan, "blocks", noting)
    found = mapped(request_)
    assert [(block.col, block.width) for block in blocks] == [(0, 256), (256, 44)]
    assert_same(expected, found)


def test_rows_and_tiles_in_the_file_give_the_same_map(request_, tmp_path):
    """Files of rows wider than two tiles are read by rows of tiles."""
    values = np.tile(_read(request_.input), (1, 1, 2))[:, :140]
    maps = []
    for name, layout in (("rows", {}), ("tiles", {"tiled": True, "blockxsize": 64, "blockysize": 64})):
        path = write_raster(tmp_path / f"{name}.tif", values, **layout)
        maps.append(mapped(dataclasses.replace(request_, input=path, bands=(1, 2, 3))))
    for first, second in zip(*maps, strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_image_in_an_archive_is_mapped(request_, tmp_path, own_home):
    expected = mapped(request_)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(request_.input, "folder/other.tif")
    packed = dataclasses.replace(request_, input=f"/vsizip/{tmp_path / 'images.zip'}/folder/other.tif")
    for found, wanted in zip(mapped(packed), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    # whether an archive has changed is not known, so that no parts of such a map are kept
    with pytest.raises(EngineError, match="Cancelled"), Outputs("test") as outputs:
        segment.run(dataclasses.replace(packed, batch=1, overlap=75), _Interrupting(16), outputs)
    assert not list(own_home.rglob("*.npz"))


class _Interrupting(Notes):
    """Cancels at a number of tiles, with one in a batch."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.tiles = at, 0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self.tiles += message == "Mapping"
        if self.tiles >= self.at:
            raise EngineError("cancelled", "Cancelled.")


@pytest.mark.parametrize(("at", "shares"), [(1, True), (9, True), (16, True), (16, False)])
def test_an_interrupted_map_goes_on_and_ends_the_same_to_the_byte(request_, tmp_path, own_home, at, shares):
    wanted = dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg"), batch=1, overlap=75)
    if not shares:  # which the seam statistic needs, also of the strips that are not computed again
        wanted = dataclasses.replace(wanted, probabilities="")
    targets = [Path(path) for path in (wanted.output, wanted.probabilities, wanted.entropy) if path]
    run(wanted)
    uninterrupted = [path.read_bytes() for path in targets]
    polygons = geopandas.read_file(wanted.polygons)
    for path in tmp_path.iterdir():
        path.unlink()
    reporter = _Interrupting(at)
    with pytest.raises(EngineError, match="Cancelled"), Outputs("test") as outputs:
        segment.run(wanted, reporter, outputs)
    assert list(tmp_path.iterdir()) == []
    kept = list(own_home.rglob("*.npz"))
    assert any("run it again" in line for line in reporter.lines) == bool(kept)
    reporter = _Interrupting(at=10**6)
    with Outputs("test") as outputs:
        segment.run(wanted, reporter, outputs)
        outputs.commit()
    assert any("goes on from there" in line for line in reporter.lines) == bool(kept) == (at > 8)
    assert [path.read_bytes() for path in targets] == uninterrupted
    assert geopandas.read_file(wanted.polygons).equals(polygons)
    assert not any((own_home / "unfinished").iterdir())


def interrupt(request: SegmentRequest) -> None:
    with pytest.raises(EngineError, match="Cancelled"), Outputs("test") as outputs:
        segment.run(request, _Interrupting(9), outputs)


def lines_of(request: SegmentRequest) -> str:
    notes = Notes()
    with Outputs("test") as outputs:
        mapped_and_committed(request, notes, outputs)
    return "\n".join(notes.lines)


def mapped_and_committed(request: SegmentRequest, notes: Notes, outputs: Outputs) -> None:
    segment.run(request, notes, outputs)
    outputs.commit()


@pytest.mark.filterwarnings("ignore::rasterio.errors.RasterioDeprecationWarning")
@pytest.mark.parametrize("kind", ["plain", "told", "side file", "mosaic"])
def test_statistics_that_qgis_writes_beside_an_image_cost_no_finished_part(request_, tmp_path, own_home, kind):
    image = shutil.copy(request_.input, tmp_path / "image.tif")
    if kind == "told":
        with rasterio.open(image, "r+") as file:
            file.descriptions, file.scales, file.nodata = ("Red (B04)", "Green (B03)", "Blue (B02)"), (1, 1, 1), 7
            file.update_tags(1, wavelength="665")
            file.write_mask(file.read(1) > 3)
    if kind == "side file":
        Path(f"{image}.aux.xml").write_text(
            '<PAMDataset><PAMRasterBand band="2"><UnitType>K</UnitType></PAMRasterBand></PAMDataset>'
        )
    if kind == "mosaic":
        rasterio.shutil.copy(image, tmp_path / "image.vrt", driver="VRT")
        image = tmp_path / "image.vrt"
    request = dataclasses.replace(request_, input=str(image), batch=1, overlap=75)
    interrupt(request)
    with rasterio.open(image) as file:
        assert all(file.statistics(band).max for band in (1, 2, 3))
    assert "STATISTICS_" in Path(image if kind == "mosaic" else f"{image}.aux.xml").read_text()
    assert "it goes on from there" in lines_of(request)
    assert not any((own_home / "unfinished").iterdir())


@pytest.mark.parametrize("text", ["<Metadata><MDI key='SCALE'>2</MDI></Metadata>", "<NoDataValue>3</NoDataValue>", "x"])
def test_a_side_file_that_says_more_starts_the_map_anew(request_, tmp_path, text):
    image = tmp_path / "image.tif"
    shutil.copy(request_.input, image)
    request = dataclasses.replace(request_, input=str(image), batch=1, overlap=75)
    interrupt(request)
    broken = "" if text.startswith("<") else "<"
    Path(f"{image}.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1">{text}</PAMRasterBand></PAMDataset>{broken}'
    )
    assert "it goes on from there" not in lines_of(request)


def test_a_failure_after_the_mapping_tells_that_a_repeat_goes_on(request_, tmp_path, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "map.gpkg")

    monkeypatch.setattr(segment, "_write_polygons", full)
    notes = Notes()
    with pytest.raises(OSError, match="No space"), Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg")), notes, outputs)
    assert notes.lines[-1] == ("What was mapped is kept: run it again with the same settings to go on from 100 %.")


def test_a_target_that_cannot_be_replaced_does_so_too_and_a_whole_map_says_nothing(request_, monkeypatch):
    notes = Notes()

    def held(*paths: Path) -> None:
        raise OSError("held")

    outputs = Outputs("test")
    monkeypatch.setattr(outputs, "_rename", held)
    with pytest.raises(OSError, match="held"), outputs:
        mapped_and_committed(request_, notes, outputs)
    assert "to go on from 100 %" in notes.lines[-1]
    assert "run it again" not in lines_of(request_)


def test_a_model_is_called_by_the_name_that_it_was_chosen_by(request_, tmp_path):
    model = tmp_path / "korea-2.safetensors"
    shutil.copy(request_.model, model)
    report = tmp_path / "map.html"
    told = lines_of(dataclasses.replace(request_, model=str(model), report=str(report)))
    assert 'model "korea-2"' in told
    assert 'mapped with the model "korea-2"' in report.read_text(encoding="utf-8")
    with rasterio.open(request_.output) as file:
        assert file.tags()["SATDIFUSER_MODEL"] == "korea-2"


def test_another_setting_starts_anew_and_damaged_parts_are_computed_again(request_, tmp_path, own_home):
    wanted = dataclasses.replace(request_, batch=1, overlap=75)
    run(wanted)
    expected = Path(wanted.output).read_bytes()
    with pytest.raises(EngineError, match="Cancelled"), Outputs("test") as outputs:
        segment.run(wanted, _Interrupting(16), outputs)
    kept = list(own_home.rglob("*.npz"))
    assert kept
    reporter = _Interrupting(10**6)
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(wanted, entropy=""), reporter, outputs)
    assert not any("goes on" in line for line in reporter.lines)
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    run(wanted)
    assert Path(wanted.output).read_bytes() == expected


def test_nodata_stays_nodata(request_, world, tmp_path):
    request = dataclasses.replace(request_, input=str(world / "holed.tif"), polygons=str(tmp_path / "map.gpkg"))
    run(request)
    hole = np.zeros((170, 300), bool)
    hole[40:90, 100:180] = True
    for path in (request.output, request.probabilities, request.entropy):
        with rasterio.open(path) as file:
            assert ((file.read_masks(1) == 0) == hole).all()
    assert geopandas.read_file(tmp_path / "map.gpkg").area_px.sum() == (~hole).sum()


@pytest.mark.parametrize(
    ("codes", "dtype", "nodata"),
    [((1, 2, 300, 4), "uint16", 0), ((0, 2, 255, 4), "uint16", 65535), ((0, 2, 3, 4), "uint8", 255)],
)
def test_any_codes_make_the_same_map_with_a_nodata_value_that_is_no_class(
    request_, world, tmp_path, codes, dtype, nodata
):
    wanted = dataclasses.replace(request_, input=str(world / "holed.tif"), polygons=str(tmp_path / "map.gpkg"))
    run(wanted)
    plain, areas = _read(wanted.output), geopandas.read_file(wanted.polygons).groupby("class").area_px.sum()
    header, tensors = read_model(request_.model)
    classes = [
        dataclasses.replace(item, code=code, name=f"class {code}")
        for item, code in zip(header.classes, codes, strict=True)
    ]
    model = tmp_path / "codes.safetensors"
    write_model(model, dataclasses.replace(header, classes=tuple(classes)), tensors)
    run(dataclasses.replace(wanted, model=str(model)))
    with rasterio.open(wanted.output) as file:
        assert (file.dtypes[0], file.nodata) == (dtype, nodata)
        assert (file.read() == np.array([nodata, *codes])[plain]).all()
    found = geopandas.read_file(wanted.polygons).groupby("class").area_px.sum()
    assert found.to_dict() == {codes[code - 1]: area for code, area in areas.to_dict().items()}
    label = open_label_raster(wanted.output)
    label.raster.close()
    assert set(label.classes) == {item for item in classes if item.code in found}
    assert codes[2] in found


def test_an_image_without_a_valid_pixel_is_refused(request_, tmp_path):
    path = write_raster(tmp_path / "empty.tif", np.zeros((3, 40, 50), np.uint8), nodata=0)
    with pytest.raises(EngineError, match="no valid pixel") as caught:
        run(dataclasses.replace(request_, input=path))
    assert caught.value.code == "bad_input"
    assert [path.name for path in tmp_path.iterdir()] == ["empty.tif"]


def test_values_far_beyond_a_models_given_limits_are_refused(request_, world, tmp_path):
    header, tensors = read_model(Path(request_.model))
    given = dataclasses.replace(header, scaling=Scaling("none", (0.0,) * 3, (1.0,) * 3))
    write_model(tmp_path / "given.safetensors", given, tensors)
    with pytest.raises(EngineError, match=r'The values of "other" \(uint8\) lie between') as caught:
        run(dataclasses.replace(request_, model=str(tmp_path / "given.safetensors")))
    assert caught.value.code == "bad_input"


@pytest.mark.parametrize(
    ("pixel", "said"),
    [(0.0001, "0.0001 m a pixel, the model 10 m"), (5000.0, "5 km a pixel, the model 10 m"), (0.0, "have no area")],
)
def test_pixels_without_a_sensible_size_are_refused(request_, tmp_path, pixel, said):
    values, _ = landscape(height=21, width=33, seed=4)
    path = write_raster(tmp_path / "odd.tif", values, transform=Affine(pixel, 0, 500_000, 0, -pixel, 5_200_000))
    with pytest.raises(EngineError, match=said) as caught:
        run(dataclasses.replace(request_, input=path))
    assert caught.value.code == "bad_input"


def test_a_finer_raster_is_mapped_on_its_own_pixels(request_, tmp_path):
    values, _ = landscape(height=170, width=300, seed=4)
    fine = np.repeat(np.repeat(values, 2, axis=1), 2, axis=2)
    with rasterio.open(request_.input) as image:
        place = image.transform
    path = write_raster(tmp_path / "fine.tif", fine, transform=place @ place.scale(0.5))
    run(dataclasses.replace(request_, input=path))
    found = _read(request_.output)[0]
    assert found.shape == (340, 600)
    coarse = dataclasses.replace(request_, output=str(tmp_path / "coarse.tif"))
    run(coarse)
    same = np.repeat(np.repeat(_read(coarse.output)[0], 2, axis=0), 2, axis=1) == found
    assert same.mean() > 0.8


def test_an_image_smaller_than_a_tile_is_mapped(request_, tmp_path):
    values, _ = landscape(height=21, width=33, seed=4)
    path = write_raster(tmp_path / "small.tif", values)
    run(dataclasses.replace(request_, input=path))
    assert _read(request_.output).shape == (1, 21, 33)


def test_a_model_finds_its_backbone_beside_it_and_says_so_where_it_is_gone(request_, world, tmp_path):
    model = tmp_path / "brought" / "model.safetensors"
    model.parent.mkdir()
    shutil.copy(request_.model, model)
    away = tmp_path / "away"
    (world / "tiny").rename(away)
    try:
        with pytest.raises(EngineError) as caught:
            run(dataclasses.replace(request_, model=str(model)))
        assert caught.value.code == "bad_model"
        assert str(model.parent / "tiny") in caught.value.remedy
        assert not Path(request_.output).exists()
        shutil.copytree(away, model.parent / "tiny")
        run(dataclasses.replace(request_, model=str(model)))
    finally:
        away.rename(world / "tiny")
    assert Path(request_.output).exists()


def test_bands_taken_by_position_are_told(request_, tmp_path):
    notes = Notes()
    header = read_model(request_.model)[0]
    with open_raster(write_raster(tmp_path / "plain.tif", landscape()[0].astype(np.uint16))) as raster:
        segment.make_plan(dataclasses.replace(request_, bands=(3, 2, 1)), header, raster, torch.device("cpu"), notes)
        assert not notes.lines
        segment.make_plan(request_, header, raster, torch.device("cpu"), notes)
    assert [line.startswith('"plain" names none of its bands: 1, 2, 3') for line in notes.warnings] == [True]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"), (2, 1, 0, 3, 3, 3)),
        (("sur_refl_b01", "sur_refl_b02", "sur_refl_b03", "sur_refl_b04"), (0, 3, 2, 1)),
        (("Nahes Infrarot", "Rot", "Grün", "Blau"), (3, 0, 1, 2)),
    ],
)
def test_red_green_and_blue_of_another_sensor_give_the_same_map(request_, world, tmp_path, names, order):
    with rasterio.open(world / "other.tif") as file:
        values = np.concatenate([file.read(), 255 - file.read([1])])
    run(request_)
    image = write_raster(tmp_path / "sensor.tif", values[list(order)], names=names)
    other = dataclasses.replace(request_, input=image, output=str(tmp_path / "sensor_map.tif"))
    run(other)
    np.testing.assert_array_equal(_read(other.output), _read(request_.output))


def test_an_extent_beside_the_raster_is_refused(request_):
    with pytest.raises(EngineError) as caught:
        run(dataclasses.replace(request_, extent=(0.0, 0.0, 10.0, 10.0)))
    assert caught.value.code == "no_overlap"


def test_real_imagery_end_to_end(shared_data, tmp_path):
    """One Sentinel-2 tile of Korea with its labels, the embedded backbone: better than always saying "forest"."""
    tiles = shared_data / "segmentation" / "s2_korea_landcover" / "train"
    name = "kr_202309_12.tif"
    training = TrainSegmentationRequest(
        input=str(tiles / "images" / name),
        label_rasters=(str(tiles / "labels" / name),),
        model=str(tmp_path / "korea.safetensors"),
        epochs=4,
        scaling=1,
    )
    with Outputs("test") as outputs:
        result = trainsegmentation.run(training, Silent(), outputs)
        outputs.commit()
    # So short a training leaves the map to single pixels, which know no tiles.
    weigh_features(Path(training.model), 1.0)
    shares = str(tmp_path / "shares.tif")
    mapping = SegmentRequest(training.input, training.model, str(tmp_path / "map.tif"), batch=4, probabilities=shares)
    notes = Notes()
    with Outputs("test") as outputs:
        segment.run(mapping, notes, outputs)
        outputs.commit()
    assert notes.figures["seams"] <= 1.05
    truth, found = _read(training.label_rasters[0])[0], _read(str(tmp_path / "map.tif"))[0]
    assert set(np.unique(found)) <= {10, 30, 50, 70, 100}
    most_common = np.bincount(truth.ravel()).max() / truth.size
    assert (truth == found).mean() > most_common
    assert result.values["overall_accuracy"] > 0.5


def test_that_no_more_parts_are_kept_is_told_once(request_, monkeypatch):
    notes = Notes()
    monkeypatch.setattr(finished, "LARGEST", 1)
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, overlap=60), notes, outputs)
    assert sum("no room to keep" in line for line in notes.lines) == 1


def test_that_sizes_in_metres_are_unknown_is_told(request_, tmp_path):
    values, _ = landscape(height=140, width=150)
    plain = write_raster(tmp_path / "plain.tif", values, crs=None, transform=None)
    notes = Notes()
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, input=plain), notes, outputs)
    assert any("no CRS" in line and "10 m a pixel" in line for line in notes.lines)
    header, tensors = read_model(request_.model)
    model = tmp_path / "nowhere.safetensors"
    write_model(model, dataclasses.replace(header, gsd_m=0.0), tensors)
    notes = Notes()
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, model=str(model)), notes, outputs)
    assert any("pixels of unknown size" in line for line in notes.lines)


def test_small_patches_are_absorbed_in_raster_and_polygons_alike(request_, tmp_path):
    """The first map is sieved after the fact; probabilities stay what the model says."""
    plain = run(request_)
    before, shares = _read(request_.output)[0], _read(request_.probabilities)
    report = tmp_path / "map.html"
    sieved = dataclasses.replace(request_, sieve=2500.0, polygons=str(tmp_path / "map.gpkg"), report=str(report))
    result = run(sieved)
    after = _read(request_.output)[0]
    sizes = [np.bincount(ndimage.label(after == code)[0].ravel())[1:] for code in np.unique(after)]
    assert np.concatenate(sizes).min() >= 25
    assert (after != before).any()
    np.testing.assert_array_equal(_read(request_.probabilities), shares)
    polygons = geopandas.read_file(tmp_path / "map.gpkg")
    drawn = rasterio.features.rasterize(
        zip(polygons.geometry, polygons["class"], strict=True),
        after.shape,
        transform=open_raster(request_.output).grid.transform,
    )
    np.testing.assert_array_equal(drawn, after)
    areas = json.loads(result.values["areas"])
    assert sum(area["pixels"] for area in areas) == after.size
    assert [area["pixels"] for area in areas] == [int((after == area["class"]).sum()) for area in areas]
    assert sum(area["hectares"] for area in areas) == pytest.approx(after.size / 100, rel=2e-3)
    assert json.loads(plain.values["areas"]) != areas
    assert "<script" not in report.read_text(encoding="utf-8")
    assert all(area["name"] in report.read_text(encoding="utf-8") for area in areas)
    assert not list(tmp_path.glob("*unsieved*"))


def test_the_report_and_the_log_tell_the_area_of_each_class(request_, tmp_path):
    report, notes = tmp_path / "map.html", Notes()
    with Outputs("test") as outputs:
        segment.run(dataclasses.replace(request_, report=str(report)), notes, outputs)
        outputs.commit()
    lines = [line for line in notes.lines if re.search(r" ha, \d+\.\d %$", line)]
    assert len(lines) == 4
    text = report.read_text(encoding="utf-8")
    assert all(line.split(": ")[1].split(" ha")[0] in text for line in lines)
    assert 'mapped with the model "model"' in text


@pytest.mark.parametrize("smallest", [900.0, 2500.0])
def test_polygons_of_a_sieved_map_are_those_of_the_smallest_polygon_with_their_confidence(request_, tmp_path, smallest):
    def drawn(**settings: float) -> geopandas.GeoDataFrame:
        run(dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg"), **settings))
        return geopandas.read_file(tmp_path / "map.gpkg")

    expected = drawn(min_area=smallest)
    assert drawn(sieve=smallest).equals(expected)
    assert drawn(sieve=smallest, min_area=smallest / 2).equals(expected)


def test_a_sieved_map_that_was_interrupted_ends_the_same_to_the_byte(request_, tmp_path):
    wanted = dataclasses.replace(request_, batch=1, overlap=75, sieve=900.0, report=str(tmp_path / "map.html"))
    run(wanted)
    targets = [Path(wanted.output), Path(wanted.report)]
    uninterrupted = [path.read_bytes() for path in targets]
    with pytest.raises(EngineError, match="Cancelled"), Outputs("test") as outputs:
        segment.run(dataclasses.replace(wanted, sieve=0.0, report=""), _Interrupting(16), outputs)
    reporter = _Interrupting(10**6)
    with Outputs("test") as outputs:
        segment.run(wanted, reporter, outputs)
        outputs.commit()
    assert any("goes on from there" in line for line in reporter.lines)
    assert [path.read_bytes() for path in targets] == uninterrupted


def test_a_smallest_size_that_every_patch_has_is_told(request_, tmp_path):
    def told(**sizes: float) -> list[str]:
        notes = Notes()
        with Outputs("test") as outputs:
            segment.run(dataclasses.replace(request_, polygons=str(tmp_path / "map.gpkg"), **sizes), notes, outputs)
        return [line for line in notes.lines if "changes nothing" in line]

    assert told(sieve=50.0, min_area=20.0) == [
        "The smallest patch of 50 m² changes nothing, since a pixel has 100 m².",
        "The smallest polygon of 20 m² changes nothing, since a pixel has 100 m².",
    ]
    assert told(sieve=200.0, min_area=200.0) == []
