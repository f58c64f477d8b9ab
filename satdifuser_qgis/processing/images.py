"""Rasters as parameters: what must be known of them before the engine opens them.

A raster file is looked at through its data provider. As a layer QGIS would stretch it to its values, for which GDAL
computes statistics and writes them beside the user's image (``.aux.xml``).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataProvider,
    QgsProcessingContext,
    QgsProcessingUtils,
    QgsProperty,
    QgsProviderRegistry,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QCoreApplication

from .. import compat
from ..protocol.crs import names_no_place
from ..protocol.inside import raster_name
from ..protocol.nodata import AS_DECLARED, NoData

translate = QCoreApplication.translate


@dataclass(frozen=True)
class Image:
    """A raster as QGIS knows it. ``crs`` is the one shown in QGIS, ``crs_in_file`` the one that the engine will see,
    both by `placed`.

    ``layer`` is the layer of the project, None for a file. ``nodata`` is what its properties say of pixels without
    data. ``palette`` is true where its only band is a map with a colour table.
    """

    name: str
    source: str
    provider: str
    crs: QgsCoordinateReferenceSystem
    crs_in_file: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    band_count: int
    layer: Optional[QgsRasterLayer] = None
    nodata: NoData = AS_DECLARED
    palette: bool = False

    def styled(self) -> Optional[QgsRasterLayer]:
        """A layer with the style that the user gave the raster; None where there is none."""
        if self.layer is not None:
            return self.layer
        # Without a style of its own the layer would be stretched.
        return QgsRasterLayer(self.source, self.name) if Path(self.source).with_suffix(".qml").is_file() else None


def placed(crs: QgsCoordinateReferenceSystem) -> QgsCoordinateReferenceSystem:
    """The CRS, or an invalid one, which is none, where it names no place."""
    return QgsCoordinateReferenceSystem() if names_no_place(crs.toWkt()) else crs


def crs_name(crs: QgsCoordinateReferenceSystem) -> str:
    """As QGIS shows it, such as "EPSG:4326 - WGS 84", or that there is none."""
    return str(crs.userFriendlyIdentifier()) if crs.isValid() else translate("SatDiFuser", "no CRS")


def open_image(value: Any, context: QgsProcessingContext) -> Optional[Image]:
    """The raster of a parameter: a layer, the id or name of one in the project, or a file. None for all else."""
    if isinstance(value, QgsRasterLayer):
        return _of_layer(value)
    text = _text(value, context)
    if not text:
        return None
    known = QgsProcessingUtils.mapLayerFromString(text, context, False)
    if known is not None:
        return _of_layer(known) if isinstance(known, QgsRasterLayer) else None
    provider = _provider(text)
    if provider is None:
        return None
    crs = placed(provider.crs())
    extent, bands = provider.extent(), provider.bandCount()
    return Image(raster_name(text), text, "gdal", crs, crs, extent, bands, palette=_is_palette(provider))


def check_picture(image: Image, name: str) -> None:
    """Raises ValueError for a map, such as one of ours: it holds codes, not measurements."""
    if image.palette:
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: "{layer}" is a map with a colour table, not an image. Choose an image, or expand the colours '
                "first (Raster > Conversion > PCT to RGB).",
            ).format(name=name, layer=image.name)
        )


def _of_layer(layer: QgsRasterLayer) -> Optional[Image]:
    if not layer.isValid():
        return None
    in_file = placed(layer.dataProvider().crs())
    return Image(
        layer.name(),
        layer.source(),
        layer.providerType(),
        placed(layer.crs()),
        in_file,
        layer.extent(),
        layer.bandCount(),
        layer,
        _nodata(layer.dataProvider()),
        _is_palette(layer.dataProvider()),
    )


def _is_palette(provider: QgsRasterDataProvider) -> bool:
    return provider.bandCount() == 1 and compat.has_color_table(provider, 1)


def _nodata(provider: QgsRasterDataProvider) -> NoData:
    """What the user has set in the layer properties: additional values, and whether those of the file count."""
    bands = range(1, provider.bandCount() + 1)
    ranges = tuple((band, *_limits(found)) for band in bands for found in provider.userNoDataValues(band))
    declared = (band for band in bands if provider.sourceHasNoDataValue(band))
    return NoData(ranges, tuple(band for band in declared if not provider.useSourceNoDataValue(band)))


def _limits(found: QgsRasterRange) -> Tuple[float, float]:
    """Lowest and highest value of a range, both included; where it is open, that of all numbers."""
    kinds = QgsRasterRange.BoundsType
    low = -sys.float_info.max if math.isnan(found.min()) else found.min()
    high = sys.float_info.max if math.isnan(found.max()) else found.max()
    if found.bounds() in (kinds.IncludeMax, kinds.Exclusive):
        low = math.nextafter(low, math.inf)
    if found.bounds() in (kinds.IncludeMin, kinds.Exclusive):
        high = math.nextafter(high, -math.inf)
    return low, high


def _provider(source: str) -> Optional[QgsRasterDataProvider]:
    options = QgsDataProvider.ProviderOptions()
    provider = QgsProviderRegistry.instance().createProvider("gdal", source, options)
    return provider if isinstance(provider, QgsRasterDataProvider) and provider.isValid() else None


def _text(value: Any, context: QgsProcessingContext) -> str:
    if isinstance(value, QgsProperty):
        return str(value.valueAsString(context.expressionContext())[0])
    return str(value) if value is not None else ""
