"""A picture of what the demo made: image, labels where known, map and entropy side by side, with a legend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.labelled_set import limits, stretch
from satdifuser_qgis.protocol.classes import LandCoverClass

PANEL_PX, GAP, TITLE_PX, LEGEND_PX = 512, 14, 34, 44
INK, SOFT = (28, 43, 42), (91, 107, 105)
# dark where the model is sure, bright where it is not
ENTROPY_COLORS = np.array([(12, 8, 38), (83, 18, 110), (187, 55, 84), (249, 142, 9), (252, 255, 164)], float)

Picture = NDArray[np.uint8]


def write_preview(target: Path, panels: list[tuple[str, Picture]], classes: tuple[LandCoverClass, ...]) -> None:
    """A PNG of (title, (H, W, 3) picture) panels in a row, each PANEL_PX wide, above the legend of classes."""
    shown = [(title, _sized(picture)) for title, picture in panels]
    height = max(picture.height for _, picture in shown)
    width = len(shown) * (PANEL_PX + GAP) + GAP
    sheet = Image.new("RGB", (width, TITLE_PX + height + LEGEND_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (title, picture) in enumerate(shown):
        left = GAP + index * (PANEL_PX + GAP)
        draw.text((left, 9), title, fill=INK, font=ImageFont.load_default(16))
        sheet.paste(picture, (left, TITLE_PX))
    _legend(draw, classes, TITLE_PX + height + 15)
    sheet.save(target, optimize=True)


def image_picture(path: Path, bands: tuple[int, ...] = (1, 2, 3)) -> Picture:
    """The image as QGIS would show it, each band stretched between its 2nd and 98th percentile; white without data."""
    with rasterio.open(path) as raster:
        wanted = bands if raster.count >= max(bands) else (1, 1, 1)
        values = _thinned(raster, list(wanted)).astype(np.float32)
    valid = ~np.ma.getmaskarray(values).any(0)
    stretched = stretch(values.data, *limits(values.data[:, valid]))
    picture = ((stretched + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)
    picture[~valid] = 255
    return picture


def class_picture(codes: NDArray[np.integer], classes: tuple[LandCoverClass, ...]) -> Picture:
    """Class codes in the classes' colours; white elsewhere."""
    picture = np.full((*codes.shape, 3), 255, np.uint8)
    for item in classes:
        picture[codes == item.code] = item.rgb
    return picture


def entropy_picture(path: Path) -> Picture:
    """Entropy from 0 (dark) to 1 (bright); white where there is no map."""
    with rasterio.open(path) as raster:
        values = _thinned(raster, 1).astype(float)
    place = np.clip(values.filled(0), 0, 1) * (len(ENTROPY_COLORS) - 1)
    channels = [np.interp(place, range(len(ENTROPY_COLORS)), ENTROPY_COLORS[:, channel]) for channel in range(3)]
    picture = np.stack(channels, -1).astype(np.uint8)
    picture[np.ma.getmaskarray(values)] = 255
    return picture


def _thinned(raster: rasterio.DatasetReader, bands: int | list[int]) -> np.ma.MaskedArray:
    """No more pixels than a picture needs, whatever the size of the raster."""
    step = max(1, raster.width // (2 * PANEL_PX))
    size = (-(-raster.height // step), -(-raster.width // step))
    return raster.read(bands, out_shape=size if isinstance(bands, int) else (len(bands), *size), masked=True)


def _sized(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture)
    scale = PANEL_PX / image.width
    return image.resize((PANEL_PX, max(1, round(image.height * scale))), Image.Resampling.NEAREST)


def _legend(draw: ImageDraw.ImageDraw, classes: tuple[LandCoverClass, ...], top: int) -> None:
    font, left = ImageFont.load_default(14), GAP
    for item in classes:
        draw.rectangle((left, top, left + 14, top + 14), fill=item.rgb, outline=SOFT)
        draw.text((left + 20, top - 2), item.name, fill=INK, font=font)
        left += 20 + round(draw.textlength(item.name, font=font)) + 22
