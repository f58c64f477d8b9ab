"""The legend that a class raster brings along: names and colours of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # nosec B405

import pyogrio
import rasterio
import rasterio.shutil
from pyogrio.errors import DataLayerError, DataSourceError

from ...protocol.classes import StyledClass
from ...protocol.errors import EngineError
from ..file_names import as_file
from ..raster.read import Raster
from ..raster.write import CLASS_TAG
from .class_names import text_key
from .class_table import whole

# GDAL's usages of a column, and how columns are called where none is stated, as in tables of ArcGIS.
_VALUE_USAGES, _NAME_USAGE = ("5", "3"), "2"
_VALUE_TITLES = ("value", "val", "code", "gridcode", "pixelvalue", "pixel_value", "dn", "class_id", "classid")
_NAME_WORDS = ("class", "klass", "clase", "name", "label", "categ", "legend", "descr", "beschreib", "cover")
_TEXT = "2"
# What an unset entry of a colour table looks like.
BLACK = "#000000"


@dataclass(frozen=True)
class Legend:
    """Names and colours (#rrggbb) by value; ``transparent`` are the values whose colour cannot be seen."""

    names: dict[int, str]
    colors: dict[int, str]
    transparent: frozenset[int]

    def name(self, value: int) -> str:
        """The name of a value, "" where it has none or one that only repeats the value."""
        name = self.names.get(value, "")
        return "" if whole(name) == value else name

    def tells(self, value: int) -> bool:
        """Whether it says anything of a value, by name or colour."""
        return bool(self.name(value)) or self.colors.get(value, BLACK) != BLACK


@dataclass(frozen=True)
class _Column:
    title: str
    usage: str
    is_text: bool


def read_legend(raster: Raster, styles: Sequence[StyledClass] = ()) -> Legend:
    """The legend of band 1: names by categories, else attribute table (in the file or as .vat.dbf), else our own tags.

    Names of ``styles`` go before all of these.
    """
    styled = [(value, style.name) for style in reversed(styles) if (value := whole(style.value)) is not None]
    colors = _color_table(raster)
    transparent = frozenset(value for value, color in colors.items() if color[3] == 0)
    return Legend(
        _names(raster) | _not_empty((value, name) for value, name in styled if whole(name) != value),
        {value: "#{:02x}{:02x}{:02x}".format(*color[:3]) for value, color in colors.items()},
        # Some programs leave opacity at 0 throughout.
        transparent if len(transparent) < len(colors) else frozenset(),
    )


def _color_table(raster: Raster) -> dict[int, tuple[int, ...]]:
    try:
        table: dict[int, tuple[int, ...]] = raster.dataset.colormap(1)
    except ValueError:  # it has none
        return {}
    return table


def _names(raster: Raster) -> dict[int, str]:
    names = {
        int(key[len(CLASS_TAG) :]): text
        for key, text in raster.tags[""].items()
        if key.startswith(CLASS_TAG) and key[len(CLASS_TAG) :].isdigit()
    }
    band = _description(raster)
    if band is not None:
        names |= _table_names(band) or _side_table_names(raster.path)
        names |= _not_empty(enumerate(entry.text or "" for entry in band.iterfind("CategoryNames/Category")))
    return names


def _not_empty(names: Iterable[tuple[int, str]]) -> dict[int, str]:
    return {value: name.strip() for value, name in names if text_key(name)}


def _description(raster: Raster) -> ElementTree.Element | None:
    """What GDAL knows of band 1, as XML: rasterio itself reads neither categories nor attribute tables."""
    with rasterio.MemoryFile(ext=".vrt") as file:
        rasterio.shutil.copy(raster.dataset, file.name, driver="VRT")
        # What is parsed is GDAL's own text of a moment ago, without entities or document types.
        return ElementTree.fromstring(file.read()).find("VRTRasterBand")  # noqa: S314 # nosec B314


def _table_names(band: ElementTree.Element) -> dict[int, str]:
    """Names in a raster attribute table."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return {}
    columns = [
        _Column(entry.findtext("Name") or "", entry.findtext("Usage") or "", entry.findtext("Type") == _TEXT)
        for entry in table.iterfind("FieldDefn")
    ]
    rows = [[entry.text or "" for entry in row.iterfind("F")] for row in table.iterfind("Row")]
    # Without a column of values, rows are bins of equal width.
    first, step = float(table.get("Row0Min", "0")), float(table.get("BinSize", "1"))
    return _by_value(columns, rows, [f"{first + step * number}" for number in range(len(rows))])


def _side_table_names(path: str) -> dict[int, str]:
    """Names in the table that ArcGIS writes beside a raster, which this GDAL does not read by itself."""
    side = Path(f"{path}.vat.dbf")
    if not side.is_file():
        return {}
    try:
        with as_file(side) as file:
            frame = pyogrio.read_dataframe(file, read_geometry=False)
    except (DataLayerError, DataSourceError, UnicodeDecodeError) as error:
        raise EngineError(
            "bad_input",
            f'The attribute table "{side.name}" beside the label raster cannot be read.',
            "Write it anew, or move it away: then classes are named by their codes.",
            detail=str(error),
        ) from error
    columns = [_Column(str(title), "", frame[title].dtype.kind not in "iuf") for title in frame]
    rows = frame.astype(object).where(frame.notna(), "").astype(str).values.tolist()
    return _by_value(columns, rows, [str(number) for number in range(len(rows))])


def _by_value(columns: Sequence[_Column], rows: Sequence[Sequence[str]], bins: Sequence[str]) -> dict[int, str]:
    """The column of names by that of values, or by ``bins`` where there is none."""
    value = _place_of_values(columns)
    name = _place_of_names(columns, value)
    if name is None:
        return {}
    values = [whole(text) for text in (bins if value is None else [row[value] for row in rows])]
    return _not_empty((number, row[name]) for number, row in zip(values, rows, strict=True) if number is not None)


def _place_of_values(columns: Sequence[_Column]) -> int | None:
    places = range(len(columns))
    stated = [place for usage in _VALUE_USAGES for place in places if columns[place].usage == usage]
    titled = [place for place in places if columns[place].title.lower() in _VALUE_TITLES]
    return next(iter(stated + titled), None)


def _place_of_names(columns: Sequence[_Column], values: int | None) -> int | None:
    texts = [place for place, column in enumerate(columns) if column.is_text and place != values]
    stated = [place for place in texts if columns[place].usage == _NAME_USAGE]
    titled = [place for place in texts if any(word in columns[place].title.lower() for word in _NAME_WORDS)]
    return next(iter(stated + titled + texts), None)
