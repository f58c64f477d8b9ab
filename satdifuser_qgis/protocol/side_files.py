"""Files beside a data file that GDAL and QGIS read with it: when it is replaced, those of the old one must go too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, FrozenSet, List, Tuple

RASTERS = frozenset({".tif", ".tiff", ".vrt", ".img", ".jp2", ".ecw", ".sid", ".asc", ".nc"})
VECTORS = frozenset({".shp", ".geojson", ".fgb", ".gml", ".kml", ".tab"})
# A picture of a map is often kept beside it, and seldom opened as a layer.
PICTURES = frozenset({".png", ".jpg", ".jpeg"})

# Statistics and class names, pyramids, masks, attribute tables, metadata.
_OF_RASTERS = (
    ".aux.xml", ".ovr", ".ovr.aux.xml", ".msk", ".msk.ovr", ".msk.aux.xml", ".vat.dbf", ".vat.cpg", ".xml",
)  # fmt: skip
# By what follows the whole name. SQLite would roll an old journal back into a new file.
_AFTER_NAME: Dict[str, Tuple[str, ...]] = {
    ".tif": _OF_RASTERS,
    ".tiff": _OF_RASTERS,
    ".gpkg": ("-journal", "-wal", "-shm", ".aux.xml"),
    ".shp": (".xml",),
}
_STYLES = (".qml", ".qmd")
# By what replaces the ending: styles, world files, the other files of a shapefile with its indexes.
_AFTER_STEM: Dict[str, Tuple[str, ...]] = {
    ".tif": (*_STYLES, ".tfw", ".tifw", ".wld"),
    ".tiff": (*_STYLES, ".tfw", ".tiffw", ".wld"),
    # where it holds no style itself
    ".gpkg": _STYLES,
    ".geojson": _STYLES,
    ".fgb": _STYLES,
    ".shp": (
        *_STYLES, ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx", ".fbn", ".fbx", ".ain", ".aih",
        ".ixs", ".mxs", ".idm", ".ind", ".cst",
    ),
}  # fmt: skip
# Whose such a file may be as well, by their endings; all other side files are of one file only.
_SHARED: Dict[str, FrozenSet[str]] = {
    **dict.fromkeys(_STYLES, RASTERS | VECTORS),
    ".tfw": frozenset({".tif", ".tiff"}),
    ".wld": RASTERS | PICTURES,
    ".prj": RASTERS | PICTURES,
}


def side_files(target: Path) -> List[Path]:
    """Those that lie beside ``target`` and belong to it alone, whether or not it exists itself."""
    kind = target.suffix.lower()
    try:
        names = sorted(os.listdir(target.parent))
    except OSError:  # there is no such folder, so nothing lies in it
        return []
    found = []
    for name in names:
        after_name = name.startswith(target.name) and name[len(target.name) :].lower() in _AFTER_NAME.get(kind, ())
        ending = name[len(target.stem) :].lower() if name.startswith(target.stem) else ""
        after_stem = ending in _AFTER_STEM.get(kind, ()) and not _is_shared(ending, target, names)
        if after_name or after_stem:
            found.append(target.with_name(name))
    return found


def _is_shared(ending: str, target: Path, names: List[str]) -> bool:
    if ending not in _SHARED:
        return False
    beside = [Path(name) for name in names if name != target.name]
    others = {path.suffix.lower() for path in beside if path.stem == target.stem}
    if target.name in names:
        return bool(others & _SHARED[ending])
    # It cannot be of a file that was never there, so any other file of that name may own it.
    return bool(others.difference(_AFTER_STEM[target.suffix.lower()]))
