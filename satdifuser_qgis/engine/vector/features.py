"""Features of a vector layer: read from their file, with geometries that can be burnt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas
import numpy as np
import pandas
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import GEOSException

from ...protocol.errors import EngineError
from ..file_names import as_file
from .layers import LATIN_1, Layer, find_layer, split_source, untold_note

# Points, lines and polygons, and several of one kind: what can be burnt.
_DRAWN = (0, 1, 2, 3, 4, 5, 6)
# Of what fields of classes are.
_SORTING = ("OFTString", "OFTInteger", "OFTInteger64")


@dataclass(frozen=True)
class Features:
    """All features of a layer: geometries, and the ``values`` of its class field as a series, of OGR's ``kind`` and
    ``subtype``. ``notes`` are sentences for the log."""

    name: str
    kind: str
    subtype: str
    values: Any
    geometries: geopandas.GeoSeries
    notes: tuple[str, ...]


def read_features(source: str, class_field: str) -> Features:
    """The features of a source as in `split_source`. Raises EngineError: bad_input, bad_request."""
    parts = split_source(source)
    layer = find_layer(parts, class_field)
    column = list(layer.info["fields"]).index(class_field)
    try:
        meta, wkb, values, notes = _stored(layer, class_field, parts.subset)
        geometries = geopandas.GeoSeries(_geometries(wkb), crs=meta["crs"])
    except (DataSourceError, DataLayerError) as error:
        raise _unread(layer, parts.subset, error) from error
    except (GEOSException, NotImplementedError) as error:
        raise EngineError(
            "bad_input",
            f'The layer "{layer.name}" holds geometries of a kind that cannot be read here.',
            "Convert it to simple polygons, lines or points first; Convert geometry type in the Toolbox does that.",
            detail=str(error),
        ) from error
    return Features(
        layer.name,
        layer.info["ogr_types"][column],
        layer.info["ogr_subtypes"][column],
        values,
        geometries,
        (*layer.notes, *notes),
    )


def other_fields(source: str, class_field: str) -> list[tuple[str, int, int]]:
    """The other fields of texts and whole numbers: name, how many different values, and in how many features."""
    parts = split_source(source)
    layer = find_layer(parts, class_field)
    kinds = zip(layer.info["fields"], layer.info["ogr_types"], strict=True)
    names = [name for name, kind in kinds if kind in _SORTING and name != class_field]
    try:
        with as_file(layer.path) as file:
            read = partial(pyogrio.raw.read, file, columns=names, where=parts.subset, read_geometry=False)
            meta, _, _, columns = read(**layer.keys)
    except (DataSourceError, DataLayerError, ValueError):  # only a hint is lost, of what could not be read
        return []
    found = [(str(name), pandas.Series(values)) for name, values in zip(meta["fields"], columns, strict=True)]
    return [(name, int(values.nunique()), int(values.notna().sum())) for name, values in found]


def _stored(
    layer: Layer, class_field: str, subset: str | None
) -> tuple[dict[str, Any], NDArray[np.object_], Any, list[str]]:
    """What is known of the layer, geometries as WKB, the values of the field, and notes.

    Not by pyogrio's `read_dataframe`: in a frame, geometries replace a field that is itself called "geometry".
    """
    notes = []
    with as_file(layer.path) as file:
        read = partial(pyogrio.raw.read, file, columns=[class_field], where=subset, force_2d=True)
        try:
            meta, _, wkb, columns = read(datetime_as_string=True, **layer.keys)
        except UnicodeDecodeError:
            meta, _, wkb, columns = read(datetime_as_string=True, **{**layer.keys, "encoding": LATIN_1})
            notes = [untold_note(layer.path)]
        except ValueError as error:
            raise _unread(layer, subset, error) from error
    return meta, wkb, pandas.Series(columns[0]), notes


def _geometries(wkb: NDArray[np.object_]) -> NDArray[np.object_]:
    """Broken geometries, such as rings that are not closed, are mended or, where that fails, missing."""
    try:
        return shapely.from_wkb(wkb)
    except GEOSException:
        return shapely.from_wkb(wkb, on_invalid="fix")


def _unread(layer: Layer, subset: str | None, error: Exception) -> EngineError:
    if subset is not None:
        return EngineError(
            "bad_request",
            f'The layer "{layer.name}" cannot be read with the filter "{subset}".',
            f"Correct the filter; the layer's fields are: {', '.join(layer.info['fields'])}.",
            detail=str(error),
        )
    return EngineError(
        "bad_input",
        f'The labels "{layer.path}" cannot be read to their end.',
        "The file is damaged: get it again, then repeat.",
        detail=str(error),
    )


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
