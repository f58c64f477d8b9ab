"""A CRS that names no place counts as none, whichever side has it; outputs keep what the image's file states."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from pyproj import CRS

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.vector.label_raster import open_label_raster, pair, read_labels
from satdifuser_qgis.engine.vector.labels import burn, check_crs, read_vector_labels, touching
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import PLACE, UTM, landscape, write_label_layer, write_raster
from tests.engine.notes import Notes

UNKNOWN = 'LOCAL_CS["Unknown",UNIT["metre",1]]'
SITE = 'LOCAL_CS["site grid",UNIT["metre",1],AXIS["E",EAST],AXIS["N",NORTH]]'
UNNAMED = 'LOCAL_CS["unnamed",UNIT["unknown",1]]'
UNDEFINED = (
    'GEOGCS["Undefined geographic SRS",DATUM["unknown",SPHEROID["unknown",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
NONE = (None, UNKNOWN, SITE, UNNAMED, UNDEFINED)
BOXES = [shapely.box(500_020, 5_199_500, 500_220, 5_199_900), shapely.box(500_320, 5_199_500, 500_520, 5_199_900)]


def write_image(folder: Path, crs: str | None) -> str:
    return write_raster(folder / "image.tif", landscape(64, 64)[0], crs=crs)


@pytest.mark.parametrize(("of_image", "of_labels"), list(product(NONE, (*NONE, UTM))))
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_labels_on_an_image_that_lies_nowhere_lie_in_its_coordinates(tmp_path, of_image, of_labels, suffix):
    labels = read_vector_labels(
        write_label_layer(tmp_path / f"labels{suffix}", BOXES, ["a", "b"], crs=of_labels), "class"
    )
    with open_raster(write_image(tmp_path, of_image)) as image:
        said = check_crs(labels, "image", image.grid)
        assert bool(said) == (of_labels == UTM)
        assert touching(labels, image.grid).all()
        burnt = burn(labels, image.grid, image.grid.whole)
        assert image.grid.gsd_m is None
    assert np.bincount(burnt[burnt >= 0]).tolist() == [20 * 40, 20 * 40]
    if said and of_image == UNKNOWN:
        assert 'a CRS that names no place ("Unknown"); labels of "labels" (WGS 84 / UTM zone 33N) are taken' in said


@pytest.mark.parametrize("of_labels", NONE)
def test_labels_that_lie_nowhere_are_refused_on_an_image_with_a_place(tmp_path, of_labels):
    labels = read_vector_labels(write_label_layer(tmp_path / "labels.gpkg", BOXES, ["a", "b"], crs=of_labels), "class")
    with (
        open_raster(write_image(tmp_path, UTM)) as image,
        pytest.raises(EngineError, match=r'labels "labels" have .*but the image "image" has WGS 84 / UTM') as caught,
    ):
        check_crs(labels, "image", image.grid)
    if of_labels == SITE:
        assert 'have a CRS that names no place ("site grid")' in str(caught.value)


@pytest.mark.parametrize(("of_image", "of_labels"), list(product((*NONE, UTM), NONE)))
def test_label_rasters_that_lie_nowhere_serve_the_image_with_their_pixels(tmp_path, of_image, of_labels):
    codes = landscape(64, 64)[1]
    path = write_raster(tmp_path / "codes.tif", codes, crs=of_labels, nodata=0)
    label = open_label_raster(path)
    with open_raster(write_image(tmp_path, of_image)) as image, label.raster:
        found, notes = pair([label], [image])
        assert [item.how for item in found] == ["equal grid, no CRS"]
        assert not notes
        codes_there = np.array([item.code for item in label.classes])[read_labels(label, image.grid, image.grid.whole)]
    assert (codes_there == codes).all()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
@pytest.mark.parametrize("crs", [UNKNOWN, SITE, UNDEFINED])
def test_maps_and_polygons_keep_the_crs_that_the_file_states(tmp_path, model, crs, suffix):
    image = write_image(tmp_path, crs)
    names = {name: str(tmp_path / f"{name}.tif") for name in ("output", "entropy", "probabilities")}
    polygons, notes = tmp_path / f"polygons{suffix}", Notes()
    request = SegmentRequest(image, str(model), polygons=str(polygons), threads=1, **names)
    execute(request, notes, Outputs("run"))
    with rasterio.open(image) as stated:
        for path in names.values():
            with rasterio.open(path) as file:
                assert file.crs == stated.crs
                assert file.transform == PLACE
    frame = geopandas.read_file(polygons)
    assert frame.area_m2.isna().all()
    assert frame.total_bounds.tolist() == [500_000, 5_199_360, 500_640, 5_200_000]
    if suffix in (".gpkg", ".fgb"):
        assert frame.crs.name == CRS.from_wkt(stated.crs.to_wkt()).name
    told = [line for line in notes.warnings if "CRS" in line]
    assert len(told) == 1
    assert ("names no place" in told[0]) == (crs != UNDEFINED)


def test_a_geopackage_raster_without_a_crs_has_none(tmp_path):
    path = tmp_path / "image.gpkg"
    with rasterio.open(path, "w", driver="GPKG", width=64, height=64, count=3, dtype="uint8", transform=PLACE) as file:
        file.write(landscape(64, 64)[0])
    with open_raster(str(path)) as image:
        assert (image.grid.crs_wkt, image.grid.gsd_m) == ("", None)
        assert image.grid.stated_wkt
        assert image.grid.crop(image.grid.whole).stated_wkt == image.grid.stated_wkt
