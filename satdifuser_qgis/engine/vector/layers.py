"""The layer of a vector file that holds the labels: the one that is named, else the only one that can be meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from ...protocol.errors import EngineError
from ...protocol.unopened import missing_parts
from ..file_names import as_file, split_address
from ..raster.read import files_behind
from ..unopened import not_opened

# What pyogrio answers for a shapefile whose encoding is not told, or told in a word that GDAL does not know.
LATIN_1 = "ISO-8859-1"
_UNTOLD = ("ESRI Shapefile", LATIN_1)


@dataclass(frozen=True)
class Source:
    """A vector source as QGIS writes it: ``path|layername=name|subset=filter|option:KEY=value``.

    ``layer`` is a name or, of ``layerid``, a number; None where none is named. ``options`` are GDAL's open options.
    """

    path: str
    layer: str | int | None = None
    subset: str | None = None
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A layer of a file: what pyogrio says of it (``info``), and how it is asked for it (``keys``)."""

    path: str
    name: str
    info: dict[str, Any]
    keys: dict[str, Any]
    notes: tuple[str, ...] = ()


def split_source(text: str) -> Source:
    """Raises EngineError("bad_request") for a part that is not known here: without it something else would be read."""
    path, parts = split_address(text)
    source = Source(path)
    for part in parts:
        key, _, value = part.partition("=")
        if key == "layername":
            source = replace(source, layer=value)
        elif key == "layerid":
            # a name where it is no number: then there is no such layer, which is told
            source = replace(source, layer=int(value) if value.isdecimal() else value)
        elif key == "subset":
            source = replace(source, subset=value)
        elif key.startswith("option:"):
            source.options[key.removeprefix("option:").upper()] = value
        else:
            raise EngineError(
                "bad_request",
                f'The labels "{text}" have the part "{part}", which is not understood.',
                "Known are layername=, layerid=, subset= and option:KEY=; save what is meant as a file of its own.",
            )
    return source


def find_layer(source: Source, class_field: str) -> Layer:
    """The layer with the labels, which has geometries and the field.

    Raises EngineError: bad_input, or bad_request where none or several layers could be meant.
    """
    try:
        with as_file(source.path) as file:
            names = [str(name) for name, _ in pyogrio.list_layers(file)]
        if source.layer is not None:
            layer = _named(source, names)
        elif len(names) == 1:
            layer = _layer(source, 0, Path(source.path).stem)
        else:
            layer = _only_one(source, names, class_field)
    except (DataSourceError, DataLayerError) as error:
        raise _not_opened(source.path, error) from error
    _check(layer, class_field)
    return layer


def untold_note(path: str) -> str:
    """What to tell of a file whose texts are read as Latin 1 for want of better knowledge."""
    return (
        f'The file "{path}" does not say how its texts are encoded; they are read as ISO-8859-1. Where class names '
        "come out garbled, add the encoding to the path of a shapefile, such as |option:ENCODING=CP1251, or save the "
        "labels as GeoPackage."
    )


def _named(source: Source, names: Sequence[str]) -> Layer:
    if isinstance(source.layer, int):
        place = source.layer
    else:
        place = names.index(source.layer) if source.layer in names else len(names)
    if place >= len(names):
        raise EngineError(
            "bad_request",
            f'The file "{source.path}" has no layer "{source.layer}"; its layers are: {", ".join(names)}.',
            f"Name one of them, such as {source.path}|layername={names[0]}",
        )
    return _layer(source, place, names[place])


def _only_one(source: Source, names: Sequence[str], class_field: str) -> Layer:
    """Of several layers the one with features, geometries and the class field, if exactly one has them."""
    layers = [_layer(source, place, name) for place, name in enumerate(names)]
    drawn = [each for each in layers if each.info["geometry_type"] is not None and each.info["features"] != 0]
    meant = [each for each in drawn if class_field in each.info["fields"]]
    if len(meant) != 1:
        raise _unclear(source.path, class_field, meant, drawn)
    if len(drawn) == 1:
        return meant[0]
    note = (
        f'The file "{source.path}" holds several layers; "{meant[0].name}" is taken, the only one with the field '
        f'"{class_field}".'
    )
    return replace(meant[0], notes=(*meant[0].notes, note))


def _unclear(path: str, class_field: str, meant: Sequence[Layer], drawn: Sequence[Layer]) -> EngineError:
    listed = ", ".join(each.name for each in meant or drawn)
    if not drawn:
        return EngineError("bad_input", f'The file "{path}" holds no layer with geometries.', "Choose another file.")
    if not meant:
        fields = {str(name) for each in drawn for name in each.info["fields"]}
        return EngineError(
            "bad_request",
            f'No layer of "{path}" has the field "{class_field}"; its layers are: {listed}.',
            _guess(class_field, sorted(fields)),
        )
    return EngineError(
        "bad_request",
        f'The file "{path}" holds several layers with the field "{class_field}": {listed}.',
        f"Name one, such as {path}|layername={meant[0].name} or make one layer of them first (Merge vector layers in "
        'the Toolbox of QGIS; its field "layer" says which each feature came from).',
    )


def _layer(source: Source, place: int, name: str) -> Layer:
    keys: dict[str, Any] = {"layer": place, **source.options}
    info = _described(source.path, keys)
    if (info["driver"], info["encoding"]) == _UNTOLD and "ENCODING" in source.options:
        raise EngineError(
            "bad_request",
            f'The encoding "{source.options["ENCODING"]}" of the labels "{source.path}" is not known.',
            "Write it like UTF-8, CP1252 or ISO-8859-2.",
        )
    if (info["driver"], info["encoding"]) == _UNTOLD:
        # Texts that can be read as UTF-8 are: letters of other encodings do not make valid UTF-8 by chance.
        keys["encoding"] = "UTF-8"
        info = _described(source.path, keys)
    notes = (untold_note(source.path),) if keys.get("encoding") == LATIN_1 else ()
    return Layer(source.path, name, info, keys, notes)


def _described(path: str, keys: dict[str, Any]) -> dict[str, Any]:
    """What pyogrio says of a layer; where names of fields are no UTF-8, ``keys`` ask for Latin 1 afterwards."""
    with as_file(path) as file:
        try:
            return pyogrio.read_info(file, **keys)
        except UnicodeDecodeError:
            keys["encoding"] = LATIN_1
            return pyogrio.read_info(file, **keys)


def _check(layer: Layer, class_field: str) -> None:
    """Raises EngineError where a layer lacks the field or geometries."""
    _check_parts(layer.path)
    fields = list(layer.info["fields"])
    if layer.info["geometry_type"] is None:
        raise EngineError(
            "bad_input",
            f'The table "{layer.name}" has no geometries.',
            "Choose a layer with geometries. In QGIS, Layer > Add Layer > Add Delimited Text Layer makes points of "
            "columns with coordinates; export that layer as GeoPackage.",
        )
    if class_field not in fields:
        raise EngineError(
            "bad_request",
            f'The layer "{layer.name}" has no field "{class_field}"; its fields are: {", ".join(fields) or "none"}.',
            _guess(class_field, fields),
        )


def _guess(wanted: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wanted, known, 1)
    return f'Did you mean "{close[0]}"?' if close else "Choose one of them."


def _not_opened(path: str, error: Exception) -> EngineError:
    _check_parts(path)
    if files_behind(path):
        return EngineError(
            "bad_input", f'The labels "{path}" are a raster.', "Give it as label raster, not as vector labels."
        )
    remedy = "Open it in QGIS, save it as GeoPackage (layer menu, Export, Save Features As) and choose that file."
    if path.lower().endswith(".zip"):
        remedy = "Unpack it and choose the file with the labels."
    return not_opened(path, "vector layer", remedy, error)


def _check_parts(path: str) -> None:
    missing = missing_parts(path)
    if missing:
        raise EngineError(
            "bad_input",
            f'The shapefile "{path}" is incomplete: {" and ".join(missing)} must lie beside it.',
            "A shapefile is several files (.shp, .shx, .dbf, .prj and others): copy all of them into one folder.",
        )
