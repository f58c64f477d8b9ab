"""Fake rasters and labels for tests: painted from a seed, written as small files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

UTM = "EPSG:32633"
UTM_WKT: str = CRS.from_string(UTM).to_wkt()
PLACE = Affine(10, 0, 500_000, 0, -10, 5_200_000)
CLASS_NAMES = {1: "water", 2: "forest", 3: "field", 4: "road"}
CLASS_COLORS = {1: (0, 114, 178), 2: (0, 158, 115), 3: (240, 228, 66), 4: (127, 127, 127)}
_BRIGHTNESS = {1: (20, 40, 70), 2: (40, 70, 40), 3: (150, 140, 80), 4: (190, 190, 190)}


def landscape(height: int = 96, width: int = 128, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (3,h,w) with sensor noise, and its class codes 1 to 4 (h,w): water, forest, field, road."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(3, height, width)), (0, height / 12, width / 12))
    codes = (smooth.argmax(axis=0) + 1).astype(np.uint8)
    codes[height // 2 : height // 2 + 2] = 4
    colors = np.zeros((5, 3))
    for code, color in _BRIGHTNESS.items():
        colors[code] = color
    image = colors[codes].transpose(2, 0, 1) + rng.normal(0, 6, (3, height, width))
    return image.clip(1, 255).astype(np.uint8), codes


def write_raster(
    path: Path,
    values: NDArray[Any],
    crs: str | None = UTM,
    transform: Affine | None = PLACE,
    names: Sequence[str] = (),
    colors: Sequence[ColorInterp] = (),
    mask: NDArray[np.bool_] | None = None,
    colormap: Mapping[int, tuple[int, ...]] | None = None,
    **options: Any,
) -> str:
    """Writes (C,h,w) or (h,w) as a GeoTIFF and gives its path; ``transform`` None leaves it without place."""
    values = values if values.ndim == 3 else values[None]
    options |= {"transform": transform} if transform is not None else {}
    count, height, width = values.shape
    options |= {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype, "crs": crs}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", **options)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), file:
        file.write(values)
        if mask is not None:
            file.write_mask(mask)
        if colors:
            file.colorinterp = list(colors)
        if colormap is not None:
            file.write_colormap(1, dict(colormap))
        for band, name in enumerate(names, start=1):
            file.set_band_description(band, name)
    return str(path)


def write_label_layer(
    path: Path, geometries: Sequence[Any], values: Sequence[Any], field: str = "class", crs: str | None = UTM
) -> str:
    """Writes geometries with one field as a GeoPackage (or what the suffix says) and gives its path."""
    frame = geopandas.GeoDataFrame({field: list(values)}, geometry=list(geometries), crs=crs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        frame.to_file(path)
    return str(path)


def write_landscape(folder: Path, stem: str = "landscape", seed: int = 0, **options: Any) -> tuple[str, str]:
    """A landscape as image and label raster with a colour table: two paths."""
    image, codes = landscape(seed=seed, **options)
    bands = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    return (
        write_raster(folder / f"{stem}.tif", image, colors=bands, photometric="rgb"),
        write_raster(folder / f"{stem}_labels.tif", codes, colormap=CLASS_COLORS, nodata=0),
    )


def write_huge_mosaic(folder: Path, side: int = 100_000, nodata: str = "<NoDataValue>0</NoDataValue>") -> str:
    """A huge mosaic with one part of 64 pixels."""
    values = np.random.default_rng(0).integers(1, 255, (64, 64), np.uint8)
    write_raster(folder / "part.tif", values)
    source = (
        '<SimpleSource><SourceFilename relativeToVRT="1">part.tif</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="64" ySize="64"/><DstRect xOff="500" yOff="700" xSize="64" ySize="64"/>'
        "</SimpleSource>"
    )
    path = folder / "mosaic.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><GeoTransform>0,1,0,0,0,-1</GeoTransform>'
        f'<VRTRasterBand dataType="Byte" band="1">{nodata}{source}</VRTRasterBand></VRTDataset>'
    )
    return str(path)
