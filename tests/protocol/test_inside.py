"""What rasters are called, and the file behind GDAL's names of images inside a file."""

from __future__ import annotations

import pytest

from satdifuser_qgis.protocol.inside import file_of, raster_name


@pytest.mark.parametrize(
    ("source", "file", "name"),
    [
        ('NETCDF:"months.nc":red', "months.nc", "months red"),
        ("NETCDF:/data/my months.nc:red", "/data/my months.nc", "my months red"),
        ('NETCDF:"C:/data/months.nc":red', "C:/data/months.nc", "months red"),
        ("NETCDF:C:/data/months.nc:red", "C:/data/months.nc", "months red"),
        ('HDF5:"scene.h5"://bands/red', "scene.h5", "scene bands red"),
        ('HDF4_EOS:EOS_GRID:"a.hdf":MOD_Grid:sur_refl_b01', "a.hdf", "a EOS_GRID MOD_Grid sur_refl_b01"),
        ("GTIFF_DIR:2:pages.tif", "pages.tif", "pages 2"),
        ("SENTINEL2_L2A:/data/MTD_MSIL2A.xml:10m:EPSG_32632", "/data/MTD_MSIL2A.xml", "MTD_MSIL2A 10m EPSG_32632"),
        ("GPKG:/data/maps.gpkg:ortho", "/data/maps.gpkg", "maps ortho"),
        ("/data/image.tif", "", "image"),
        ("C:/data/image.tif", "", "image"),
        ("https://server/image.tif", "", "image"),
        ("/vsizip/a.zip/image.tif", "", "image"),
    ],
)
def test_names_of_images_inside_a_file(source, file, name):
    assert (file_of(source), raster_name(source)) == (file, name)


def test_a_file_may_look_like_such_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "AREA:7.tif").touch()
    assert (file_of("AREA:7.tif"), raster_name("AREA:7.tif")) == ("", "AREA:7")
