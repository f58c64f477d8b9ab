"""The same ground twice: copies and common pixels count once, and other dates of a place prove nothing twice."""

from __future__ import annotations

import dataclasses
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from rasterio.vrt import WarpedVRT

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import trainsegmentation
from satdifuser_qgis.engine.training.landcover import Ground, survey
from satdifuser_qgis.engine.training.repeats import labelled_once, without_copies
from satdifuser_qgis.engine.training.samples import LabelledImage
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import PLACE, landscape, write_label_layer, write_raster
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone

SIDE = 160
CLASSES = tuple(LandCoverClass(code, f"class {code}", f"#00000{code}") for code in (1, 2, 3, 4))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(pixel_backbone(tmp_path_factory.mktemp("backbone") / "tiny"))


@pytest.fixture
def request_(tmp_path: Path, backbone: str) -> TrainSegmentationRequest:
    """Squares of two classes on an image."""
    image = write_raster(tmp_path / "image.tif", landscape(SIDE, SIDE)[0])
    corners = [(col, row) for col in range(8, SIDE - 8, 24) for row in range(8, SIDE - 8, 24)]
    boxes = [shapely.box(*(PLACE @ (col, row + 7)), *(PLACE @ (col + 7, row))) for col, row in corners]
    classes = ["wood" if (col + row) // 24 % 2 else "field" for col, row in corners]
    return TrainSegmentationRequest(
        input=image,
        labels=write_label_layer(tmp_path / "labels.gpkg", boxes, classes),
        class_field="class",
        model=str(tmp_path / "out" / "model.safetensors"),
        report=str(tmp_path / "out" / "model.html"),
        name="model",
        backbone=backbone,
        epochs=1,
        threads=1,
    )


def trained(request: TrainSegmentationRequest, notes: Notes) -> bytes:
    with Outputs("test") as outputs:
        trainsegmentation.run(request, notes, outputs)
        outputs.commit()
    return Path(request.model).read_bytes()


def another(kind: str, image: str) -> str:
    """The image once more: itself, or another file with its pixels."""
    path = Path(image).with_name(f"{kind}.{'vrt' if kind == 'mosaic' else 'tif'}")
    if kind == "copy":
        shutil.copy(image, path)
    elif kind == "link":
        os.symlink(image, path)
    elif kind == "mosaic":
        rasterio.shutil.copy(image, path, driver="VRT")
    elif kind == "namesake":
        path = path.with_name("elsewhere") / Path(image).name
        path.parent.mkdir()
        shutil.copy(image, path)
    elif kind == "relative path":
        return os.path.relpath(image)
    elif kind == "wider type":
        with rasterio.open(image) as file:
            write_raster(path, file.read().astype(np.float32), transform=file.transform, compress="deflate")
    elif kind == "without CRS":
        with rasterio.open(image) as file:
            write_raster(path, file.read(), crs=None, transform=None)
    else:
        return image
    return str(path)


@pytest.mark.parametrize("kind", ["itself", "copy", "link", "mosaic", "wider type", "namesake", "relative path"])
def test_an_image_that_is_given_twice_counts_once(request_, kind):
    once = trained(request_, Notes())
    notes = Notes()
    more = another(kind, request_.input)
    twice = trained(dataclasses.replace(request_, more_inputs=(more, more)), notes)
    assert twice == once
    told = [warning for warning in notes.warnings if "count once" in warning]
    assert len(told) == 2
    names = (more, request_.input) if kind == "namesake" else (kind, "image")
    said = '"{}" has the same pixels as "{}". It is left out, so that its labels count once.'.format(*names)
    assert told[0] == (
        '"image" is given more than once. Its labels count once.' if kind in ("itself", "relative path") else said
    )
    assert "count once." in Path(request_.report).read_text(encoding="utf-8")


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_a_copy_that_lost_its_crs_is_a_copy_and_other_pixels_of_that_size_are_none(tmp_path, crs):
    values = landscape(SIDE, SIDE)[0]
    values[:, :40] = 0
    paths = [write_raster(tmp_path / "a.tif", values, crs=crs, nodata=0)]
    paths += [write_raster(tmp_path / "b.tif", values, crs=None, transform=None, nodata=0)]
    values[1, 100, 100] += 1
    paths += [write_raster(tmp_path / "c.tif", values, crs=None, transform=None, nodata=0)]
    with ExitStack() as stack:
        rasters = [stack.enter_context(open_raster(path)) for path in paths]
        kept, notes = without_copies([(raster, (1, 2, 3)) for raster in rasters], Silent())
    assert [raster.name for raster, _ in kept] == ["a", "c"]
    assert len(notes) == 1


def test_images_without_any_data_are_no_copies_of_one_another(tmp_path):
    empty = [write_raster(tmp_path / f"{name}.tif", np.zeros((3, 40, 40), np.uint8), nodata=0) for name in "ab"]
    with ExitStack() as stack:
        rasters = [stack.enter_context(open_raster(path)) for path in empty]
        assert len(without_copies([(raster, (1, 2, 3)) for raster in rasters], Silent())[0]) == 2


def test_other_bands_of_one_file_are_another_image(tmp_path):
    path = write_raster(tmp_path / "a.tif", landscape(SIDE, SIDE)[0])
    with open_raster(path) as raster:
        assert len(without_copies([(raster, (1, 2, 3)), (raster, (3, 2, 1))], Silent())[0]) == 2


def labelled(stack: ExitStack, path: str, codes, at: tuple[int, int] = (0, 0)) -> LabelledImage:
    """An image whose first pixel lies at row and column ``at`` of the codes."""
    raster = stack.enter_context(open_raster(path))

    def labels(window):
        rows, cols = np.arange(window.height) + window.row + at[0], np.arange(window.width) + window.col + at[1]
        inside = ((rows >= 0) & (rows < len(codes)))[:, None] & ((cols >= 0) & (cols < codes.shape[1]))
        found = codes[np.ix_(rows.clip(0, len(codes) - 1), cols.clip(0, codes.shape[1] - 1))].astype(np.int16) - 1
        return np.where(inside, found, -1).astype(np.int16)

    return LabelledImage(raster, (1, 2, 3), labels, raster.grid.whole, 32)


def crop(path: Path, values, row: int, col: int, **options) -> str:
    return write_raster(path, values, transform=PLACE @ Affine.translation(col, row), **options)


def surveyed(images: list[LabelledImage], notes: Notes | None = None) -> Ground:
    return survey(labelled_once(images, notes or Notes())[0], CLASSES, 32, 0.2, 0, Silent())


def test_crops_that_overlap_count_their_common_pixels_once(tmp_path):
    values, codes = landscape(SIDE, SIDE)
    values[:, 100:104, 60:80] = 0
    left, right = values[:, :, :100], values[:, 30:, 60:]
    notes = Notes()
    with ExitStack() as stack:
        images = [
            labelled(stack, crop(tmp_path / "left.tif", left, 0, 0, nodata=0), codes),
            labelled(stack, crop(tmp_path / "right.tif", right, 30, 60, nodata=0), codes, (30, 60)),
        ]
        ground = surveyed(images, notes)
    common = (SIDE - 30) * 40 - 80
    assert ground.class_pixels.sum() == SIDE * 100 + (SIDE - 30) * 100 - 160 - common
    assert f'{common:,} labelled pixels of "right" have the same values in "left" and count once.' in notes.lines
    assert not notes.warnings


def test_what_only_the_later_crop_has_labelled_or_with_data_stays(tmp_path):
    values, codes = landscape(SIDE, SIDE)
    bare, holes = codes.copy(), values.copy()
    bare[:, 80:] = 0
    holes[:, 20:30, :50] = 0
    with ExitStack() as stack:
        first = labelled(stack, crop(tmp_path / "first.tif", holes, 0, 0, nodata=0), bare)
        later = labelled(stack, crop(tmp_path / "later.tif", values[:, :120], 0, 0), codes)
        ground = surveyed([first, later])
    by_image = [sum(int(tile.class_pixels.sum()) for tile in ground.tiles if tile.image == n) for n in (0, 1)]
    assert by_image == [SIDE * 80 - 500, 120 * 80 + 500]


def test_a_crop_inside_another_image_is_left_out(tmp_path):
    values, codes = landscape(SIDE, SIDE)
    notes = Notes()
    with ExitStack() as stack:
        whole = labelled(stack, crop(tmp_path / "whole.tif", values, 0, 0), codes)
        part = labelled(stack, crop(tmp_path / "part.tif", values[:, 10:90, 20:110], 10, 20), codes, (10, 20))
        kept, said = labelled_once([whole, part], notes)
    assert kept == [whole]
    assert said == notes.warnings == [
        'All 7,200 labelled pixels of "part" have the same values in "whole". It is left out, so that its labels count '
        "once."
    ]  # fmt: skip


def test_neighbours_are_as_they_were(tmp_path):
    values, codes = landscape(SIDE, SIDE)
    notes = Notes()
    with ExitStack() as stack:
        images = [
            labelled(stack, crop(tmp_path / "west.tif", values[:, :, :80], 0, 0), codes),
            labelled(stack, crop(tmp_path / "east.tif", values[:, :, 80:], 0, 80), codes, (0, 80)),
        ]
        kept, said = labelled_once(images, notes)
    assert kept == images
    assert not said
    assert not notes.lines


def again_resampled(folder: Path, path: str, crs: str) -> str:
    """The image in another CRS, with other pixels."""
    with rasterio.open(path) as file, WarpedVRT(file, crs=crs, resampling=rasterio.enums.Resampling.bilinear) as warped:
        rasterio.shutil.copy(warped, folder / "warped.tif", driver="GTiff")
    return str(folder / "warped.tif")


def test_values_of_another_date_that_agree_by_chance_stay(tmp_path):
    values, codes = landscape(SIDE, SIDE)
    later = values + 1
    later[:, :60] = values[:, :60]
    with ExitStack() as stack:
        first = labelled(stack, crop(tmp_path / "first.tif", values, 0, 0), codes)
        second = labelled(stack, crop(tmp_path / "second.tif", later, 0, 0), codes)
        kept, _ = labelled_once([first, second], Silent())
    assert kept == [first, second]


@pytest.mark.parametrize("dates", [2, 5])
def test_more_dates_of_one_place_are_split_as_one_of_them(tmp_path, dates):
    """Blocks as large, and the same of them held back, in all images: what one trains on another does not validate."""
    values, codes = landscape(SIDE, SIDE)
    notes = Notes()
    with ExitStack() as stack:
        paths = [crop(tmp_path / f"{n}.tif", (values // (n + 1) + n).astype(np.uint8), 0, 0) for n in range(dates)]
        images = [labelled(stack, path, codes) for path in paths]
        one, several = surveyed(images[:1]), surveyed(images, notes)
    assert (several.block_px, several.held_back) == (one.block_px, one.held_back)
    assert (several.class_pixels == dates * one.class_pixels).all()
    assert (several.held_back_pixels == dates * one.held_back_pixels).all()
    assert any(
        line.startswith(f"{dates - 1} of {dates} images show ground that another one shows too") for line in notes.lines
    )


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3035"])
def test_a_resampled_copy_lies_on_the_same_side_of_the_split(tmp_path, crs):
    values, codes = landscape(SIDE, SIDE)
    path = crop(tmp_path / "image.tif", values, 0, 0)
    if crs == "EPSG:32633":
        more = write_raster(tmp_path / "coarse.tif", values[:, ::2, ::2], transform=PLACE @ Affine.scale(2))
    else:
        more = again_resampled(tmp_path, path, crs)
    with ExitStack() as stack:
        images = [labelled(stack, path, codes), labelled(stack, more, codes)]
        ground = surveyed(images)
        grid = images[1].raster.grid
        index, blocks = ground.lattices[1].ids(grid.whole)
        held = np.array([block in ground.held_back for block in blocks])[index]
        centres = grid.transform @ (np.arange(grid.width) + 0.5, np.full(grid.width, 40.5))
        x, y = rasterio.warp.transform(crs, "EPSG:32633", *centres)
    side = ground.block_px * 10
    assert len(ground.images) == 2
    assert held.any()
    expected = [(0, int(a // side), int(b // side)) in ground.held_back for a, b in zip(x, y, strict=True)]
    assert held[40].tolist() == expected


def declaring(path: Path, values, scale: float, offset: float = 0.0, **options) -> str:
    made = write_raster(path, values, **options)
    with rasterio.open(made, "r+") as file:
        file.scales, file.offsets = (scale,) * 3, (offset,) * 3
    return made


@pytest.mark.parametrize(
    ("scale", "offset", "stored"),
    [
        (0.0001, -0.1, lambda values: values + 1000),
        (0.0005, 0.0, lambda values: values / 5),
        (0.01, 0.0, lambda values: (values / 100).astype(np.float32)),
    ],
)
@pytest.mark.parametrize("where", ["whole", "crop"])
def test_copies_whose_numbers_differ_by_a_declared_scale_count_once(tmp_path, scale, offset, stored, where):
    values, codes = landscape(SIDE, SIDE)
    values = values.astype(np.uint16) * 5
    first = declaring(tmp_path / "first.tif", values, 0.0001, nodata=0)
    other = stored(values).astype(np.float32 if scale == 0.01 else np.uint16)
    if where == "crop":
        other = other[:, :100]
    second = declaring(tmp_path / "second.tif", other, scale, offset, nodata=0)
    third = declaring(tmp_path / "third.tif", other + 300, scale, offset, nodata=0)
    with ExitStack() as stack:
        images = [labelled(stack, path, codes[: len(other[0])] if path != first else codes) for path in
                  (first, second, third)]  # fmt: skip
        chosen = [(image.raster, image.bands) for image in images]
        kept, _ = without_copies(chosen, Silent())
        assert [raster.name for raster, _ in kept] == (
            ["first", "third"] if where == "whole" else ["first", "second", "third"]
        )
        once, _ = labelled_once(images, Silent())
        assert [image.raster.name for image in once] == ["first", "third"]


def test_what_declares_otherwise_for_the_same_numbers_is_no_copy(request_, tmp_path):
    values, codes = landscape(SIDE, SIDE)
    first = declaring(tmp_path / "first.tif", values, 0.0001)
    shifted = declaring(tmp_path / "shifted.tif", values, 0.0001, -0.1)
    silent = write_raster(tmp_path / "silent.tif", values)
    with ExitStack() as stack:
        images = [labelled(stack, path, codes) for path in (first, shifted, silent)]
        kept, _ = without_copies([(image.raster, image.bands) for image in images], Silent())
        assert len(kept) == 3
    request = dataclasses.replace(request_, input=first, more_inputs=(silent,))
    with pytest.raises(EngineError, match="their numbers cannot be compared"):
        trained(request, Notes())
    notes = Notes()
    trained(dataclasses.replace(request, scaling=2), notes)
    assert any("It is left out, so that its labels count once." in warning for warning in notes.warnings)
