"""Every difference between QGIS and Qt versions (3.22 to 4.x). No other file asks for versions."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    Qgis,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingUtils,
    QgsRaster,
    QgsRasterDataProvider,
    QgsVectorFileWriter,
    QgsVectorLayer,
)


def qgis_version() -> str:
    """As QGIS shows it, for example ``3.22.16-Białowieża``. 4.x no longer has the old constant."""
    version = getattr(Qgis, "QGIS_VERSION", None)
    return str(version or Qgis.version())


def temporary_file(name: str, context: QgsProcessingContext) -> str:
    """A path in the Processing temp folder; 3.22 has no temp folder of a context's own."""
    try:
        return str(QgsProcessingUtils.generateTempFilename(name, context))
    except TypeError:
        return str(QgsProcessingUtils.generateTempFilename(name))


def has_color_table(provider: QgsRasterDataProvider, band: int) -> bool:
    """Whether a band holds codes of colours. Later versions have the scoped name "Palette"."""
    kinds = QgsRaster.ColorInterpretation
    palette = kinds.Palette if hasattr(kinds, "Palette") else kinds.PaletteIndex
    return bool(provider.colorInterpretation(band) == palette)


def save_style_beside(layer: QgsMapLayer, path: str) -> bool:
    """Writes the layer's style to ``<path without suffix>.qml``; True where the file is there afterwards."""
    target = Path(path).with_suffix(".qml")
    try:
        target.unlink(missing_ok=True)
    except OSError:
        return False
    layer.saveNamedStyle(str(target))
    return target.is_file()


def save_style_in_database(layer: QgsVectorLayer, name: str) -> str:
    """Stores the layer's style as the default in its own database. Returns what went wrong, "" where nothing did.

    A style of that name is removed first: QGIS would ask in a window whether to overwrite it, also headless. All is
    done in update mode, since leaving that gives a GeoPackage its ordinary journal back: otherwise it stays in WAL
    mode, which a read-only medium cannot open, and of which GDAL complains ("unable to open database file").
    """
    provider = layer.dataProvider()
    provider.enterUpdateMode()
    try:
        _count, ids, names, *_rest = layer.listStylesInDatabase()
        for identifier in (number for number, known in zip(ids, names) if known == name):
            layer.deleteStyleFromDatabase(identifier)
        answer = layer.saveStyleToDatabase(name, "", True, "")
    finally:
        provider.leaveUpdateMode()
    if isinstance(answer, tuple):
        answer = next((part for part in answer if isinstance(part, str)), "")
    return str(answer or "")


def vector_writer_failed(writer: QgsVectorFileWriter) -> str:
    """The writer's error, "" where it can go on. Comparing with the scoped name works on every version."""
    return "" if writer.hasError() == QgsVectorFileWriter.WriterError.NoError else str(writer.errorMessage())
