"""Features of a vector layer: read from their file, with geometries that can be burnt."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import GEOSException

from ...protocol.errors import EngineError
from ..file_names import as_file, split_address

# Points, lines and polygons, and several of one kind: what can be burnt.
_DRAWN = (0, 1, 2, 3, 4, 5, 6)


def split_source(source: str) -> tuple[str, dict[str, Any]]:
    """Path, and the options of pyogrio that the rest of a QGIS source asks for."""
    path, parts = split_address(source)
    options: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key == "layername":
            options["layer"] = value
        elif key == "layerid":
            # a name where it is no number: then there is no such layer, which is told
            options["layer"] = int(value) if value.isdecimal() else value
        elif key == "subset":
            options["where"] = value
    return path, options


def read_features(path: str, options: dict[str, Any], class_field: str, name: str) -> tuple[dict[str, Any], Any]:
    layer = {"layer": options["layer"]} if "layer" in options else {}
    try:
        with as_file(path) as file:
            info = pyogrio.read_info(file, **layer)
        fields = list(info["fields"])
        if class_field not in fields:
            close = difflib.get_close_matches(class_field, fields, 1)
            guess = f'Did you mean "{close[0]}"?' if close else "Choose one of them."
            listed = ", ".join(fields) or "none"
            raise EngineError(
                "bad_request", f'The layer "{name}" has no field "{class_field}"; its fields are: {listed}.', guess
            )
        if info["geometry_type"] is None:
            raise EngineError("bad_input", f'The table "{name}" has no geometries.', "Choose a layer with geometries.")
        return info, _frame(path, class_field, options)
    except (DataSourceError, DataLayerError) as error:
        raise EngineError(
            "bad_input", f'The labels "{path}" cannot be read.', "Choose another vector layer.", detail=str(error)
        ) from error
    except (GEOSException, NotImplementedError) as error:
        raise EngineError(
            "bad_input",
            f'The layer "{name}" holds geometries of a kind that cannot be read here.',
            "Convert it to simple polygons, lines or points first; Convert geometry type in the Toolbox does that.",
            detail=str(error),
        ) from error


def _frame(path: str, class_field: str, options: dict[str, Any]) -> Any:
    """The features; broken geometries, such as rings that are not closed, are mended or, where that fails, missing."""
    with as_file(path) as file:
        read = partial(pyogrio.read_dataframe, file, columns=[class_field], force_2d=True, **options)
        try:
            return read()
        except GEOSException:
            return read(on_invalid="fix")


def clean(values: Any) -> tuple[NDArray[np.object_], NDArray[np.intp], list[str]]:
    """Valid geometries that are not empty, of the kinds that can be burnt, the row of each, and notes."""
    geometries = np.asarray(values, dtype=object)
    missing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    rows = np.flatnonzero(~missing)
    parts, owner = shapely.get_parts(geometries[rows], return_index=True)
    # Only collections are taken apart; a multipolygon stays one label.
    mixed = np.isin(rows, rows[shapely.get_type_id(geometries[rows]) == 7])
    single, rows_of_parts = geometries[rows][~mixed], rows[~mixed]
    loose = mixed[owner]
    geometries = np.concatenate([single, parts[loose]])
    rows = np.concatenate([rows_of_parts, rows[owner[loose]]])
    order = np.argsort(rows, kind="stable")
    geometries, rows = geometries[order], rows[order]
    broken = ~shapely.is_valid(geometries)
    geometries[broken] = shapely.make_valid(geometries[broken], method="structure", keep_collapsed=False)
    usable = ~shapely.is_empty(geometries) & np.isin(shapely.get_type_id(geometries), _DRAWN)
    notes = []
    if missing.any() or not usable.all():
        count = int(missing.sum()) + int((~usable).sum())
        notes.append(
            f"{count} {'feature has' if count == 1 else 'features have'} no geometry and "
            f"{'is' if count == 1 else 'are'} left out."
        )
    if broken.any():
        count = int(broken.sum())
        notes.append(f"{count} invalid {'geometry was' if count == 1 else 'geometries were'} repaired.")
    return geometries[usable], rows[usable], notes
