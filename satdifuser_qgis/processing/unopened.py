"""What to tell of a file that cannot be used: the reason, and the way out.

QGIS itself says only that a layer is not valid.
"""

from __future__ import annotations

import os
from typing import Any, List

from qgis.core import QgsMapLayer, QgsProject, QgsProviderRegistry, QgsProviderSublayerDetails, QgsVectorLayer
from qgis.PyQt.QtCore import QCoreApplication

from ..protocol.unopened import missing_parts, trouble

translate = QCoreApplication.translate

_MOST_NAMED = 20


def parts_of(path: str, provider: str) -> List[QgsProviderSublayerDetails]:
    """The layers in a file that QGIS opens by a provider: "ogr" for vector layers, "gdal" for rasters."""
    if os.path.exists(path):
        path = os.path.abspath(path)  # what is told of them holds for the engine too, which runs elsewhere
    elif not path.startswith("/vsi"):
        return []
    return [item for item in QgsProviderRegistry.instance().querySublayers(path) if item.providerKey() == provider]


def is_archive(path: str) -> bool:
    """Whether layers lie packed in the file: of those Processing opens no more than the first."""
    return path.startswith("/vsi") or path.lower().endswith(".zip")


def no_raster(value: Any, name: str) -> str:
    """Why the value of a parameter is no raster that can be used."""
    path = _source(value)
    inside = [item.uri() for item in parts_of(path, "gdal")]
    if len(inside) > 1:
        return translate(
            "SatDiFuser",
            "{name}: {path} holds several rasters: {rasters}. Give one of them as it is written here. Where they are "
            "the bands of one image, first make one raster of them (Raster > Miscellaneous > Build Virtual Raster, "
            "each input file into a separate band).",
        ).format(name=name, path=path, rasters=", ".join(inside[:_MOST_NAMED]) + ", …" * (len(inside) > _MOST_NAMED))
    if parts_of(path, "ogr"):
        return translate("SatDiFuser", "{name}: {path} is a vector file. Choose a raster.").format(name=name, path=path)
    return _trouble(path, name) or translate(
        "SatDiFuser", "{name}: {value} is no raster that QGIS can open. Choose another raster."
    ).format(name=name, value=_shown(value))


def no_vector(value: Any, name: str) -> str:
    """Why the value of a parameter is no vector layer that can be used."""
    source = _source(value)
    path = source.partition("|")[0]
    layers = [item.name() for item in parts_of(path, "ogr")]
    if missing_parts(path):
        return _incomplete(path, name)
    if layers and is_archive(path):
        return translate(
            "SatDiFuser",
            "{name}: {source} cannot be opened here. Add the layer to the project and choose it there, or unpack the "
            "file.",
        ).format(name=name, source=source)
    if layers and path != source:
        return translate(
            "SatDiFuser", "{name}: there is no layer {source}. The layers of that file are {layers}."
        ).format(name=name, source=source, layers=", ".join(layers))
    if parts_of(path, "gdal"):
        return translate("SatDiFuser", "{name}: {path} is a raster. Give it as label raster.").format(
            name=name, path=path
        )
    return _trouble(path, name) or translate(
        "SatDiFuser", "{name}: {value} is no vector layer that QGIS can open. Choose another layer."
    ).format(name=name, value=_shown(value))


def check_drawn(layer: QgsVectorLayer, name: str) -> None:
    """Raises ValueError for a shapefile without its table, and for a table without geometries."""
    path = str(QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source()).get("path") or "")
    if missing_parts(path):
        raise ValueError(_incomplete(path, name))
    if not layer.isSpatial() and layer.featureCount() != 0:
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: "{layer}" is a table without geometries. Where two of its columns hold coordinates, add it by '
                "Layer > Add Layer > Add Delimited Text Layer, save that layer as GeoPackage and choose it.",
            ).format(name=name, layer=layer.name())
        )


def _incomplete(path: str, name: str) -> str:
    """That a shapefile lacks parts."""
    return translate(
        "SatDiFuser",
        "{name}: the shapefile {path} is incomplete, since {parts} must lie beside it. A shapefile is several files "
        "(.shp, .shx, .dbf, .prj and others): copy all of them into one folder.",
    ).format(name=name, path=path, parts=", ".join(missing_parts(path)))


def _trouble(path: str, name: str) -> str:
    texts = {
        "missing": translate(
            "SatDiFuser", '{name}: there is no layer or file "{path}". Check its name, path and spelling.'
        ),
        "folder": translate("SatDiFuser", "{name}: {path} is a folder. Choose the file in it."),
        "empty": translate("SatDiFuser", "{name}: {path} is empty (0 bytes). Save it again, or get it again."),
    }
    return texts.get(trouble(path), "").format(name=name, path=path) if path else ""


def _source(value: Any) -> str:
    """The source of a layer of the project whose file has gone; a path itself; "" for all else."""
    layer = value if isinstance(value, QgsMapLayer) else QgsProject.instance().mapLayer(str(value))
    if layer is not None:
        return str(layer.source())
    return value if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    return f'"{value}"' if value not in (None, "") else translate("SatDiFuser", "nothing")
