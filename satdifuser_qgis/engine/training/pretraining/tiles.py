"""RGB images out of folders, zip archives and GeoTIFFs; names that must not be seen are never decoded."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ....protocol.errors import EngineError
from ....protocol.pretrain import Source

IMAGES = (".webp", ".png", ".jpg", ".jpeg")
GEOTIFFS = (".tif", ".tiff")
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Entry:
    """Where one image lies: in a file, or under a name in an archive."""

    file: Path
    name: str = ""


def find_images(path: Path) -> dict[str, Entry]:
    """Ids of all images below a folder, in an archive, or of one image, in order of the ids.

    An id is the path below the folder or inside the archive without suffix, such as ``Forest/Forest_12``. Raises
    EngineError("bad_input") where there is none.
    """
    found = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.suffix.lower() == ".zip" and file.is_file():
            with zipfile.ZipFile(file) as archive:
                names = [name for name in archive.namelist() if PurePosixPath(name).suffix.lower() in IMAGES + GEOTIFFS]
            found.update({str(PurePosixPath(name).with_suffix("")): Entry(file, name) for name in names})
        elif file.suffix.lower() in IMAGES + GEOTIFFS and file.is_file():
            place = file.relative_to(path) if path.is_dir() else Path(file.name)
            found[str(PurePosixPath(place.with_suffix("")))] = Entry(file)
    if not found:
        raise EngineError(
            "bad_input", f'No image was found at "{path}".', "Choose a folder of images, zip archives or GeoTIFFs."
        )
    return {name: found[name] for name in sorted(found)}


def left_out(source: Source, ids: Collection[str]) -> frozenset[str]:
    """Which of the ids the source leaves out: those in its list, and of each folder the first and every n-th on."""
    refused = set(read_ids(source.leave_out, source.leave_out_fold))
    if source.leave_out_every:
        folders: dict[str, list[str]] = {}
        for name in sorted(ids):
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        refused.update(name for names in folders.values() for name in names[:: source.leave_out_every])
    return frozenset(refused)


def read_images(
    entries: dict[str, Entry], leave_out: Collection[str] = (), only: Collection[str] | None = None
) -> Iterator[tuple[str, Pixels]]:
    """(id, pixels (3, H, W)) of each entry. Those in ``leave_out`` are not decoded; with ``only``, no others are.

    GeoTIFFs give their first three bands, which must be bytes; where one has no data its pixels are 0.
    """
    archives: dict[Path, zipfile.ZipFile] = {}
    try:
        for name, entry in entries.items():
            if name in leave_out or (only is not None and name not in only):
                continue
            if entry.name and entry.file not in archives:
                archives[entry.file] = zipfile.ZipFile(entry.file)
            data = archives[entry.file].read(entry.name) if entry.name else entry.file.read_bytes()
            suffix = PurePosixPath(entry.name or entry.file.name).suffix.lower()
            yield name, _geotiff(data, entry) if suffix in GEOTIFFS else _image(data)
    finally:
        for archive in archives.values():
            archive.close()


def read_ids(path: str, fold: int = 0) -> frozenset[str]:
    """The ids in a list: a text file with one a line, or a table (.csv) with columns id and fold, of which ``fold``.

    An empty path gives no ids. Raises EngineError("bad_input") for a table without these columns.
    """
    if not path:
        return frozenset()
    if not path.lower().endswith(".csv"):
        text = Path(path).read_text(encoding="utf-8")
        return frozenset(line.strip() for line in text.splitlines() if line.strip())
    rows = _table(path, {"id", "fold"})
    if rows is None:
        raise EngineError(
            "bad_input", f'The table "{path}" has no columns "id" and "fold".', "Name a list of tile ids."
        )
    return frozenset(row["id"] for row in rows if row["fold"] == str(fold))


def read_places(path: str) -> dict[str, tuple[float, float]]:
    """(longitude, latitude) in degrees by id, of a table with columns id, lon and lat; nothing for other lists."""
    rows = _table(path, {"id", "lon", "lat"}) if path.lower().endswith(".csv") else None
    return {row["id"]: (float(row["lon"]), float(row["lat"])) for row in rows or ()}


def class_of(tile: str) -> str:
    """The class in a tile's id: the folder's name."""
    return tile.split("/")[0]


def squares(pixels: Pixels, side: int) -> Pixels:
    """As many squares (n, 3, side, side) as an image (3, H, W) holds, around its middle; a smaller one is mirrored out.

    Squares of which more than 2 % are black in all bands are dropped: there the image has no data.
    """
    height, width = pixels.shape[1:]
    below, right = max(0, side - height), max(0, side - width)
    pixels = np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="symmetric")
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    top, left = (pixels.shape[1] - rows * side) // 2, (pixels.shape[2] - columns * side) // 2
    middle = pixels[:, top : top + rows * side, left : left + columns * side]
    cut = middle.reshape(3, rows, side, columns, side).transpose(1, 3, 0, 2, 4).reshape(-1, 3, side, side)
    empty = (cut == 0).all(axis=1).mean(axis=(1, 2))
    return np.ascontiguousarray(cut[empty <= 0.02])


def halved(pixels: Pixels) -> Pixels:
    """An image at half its resolution: means of 2 x 2 pixels."""
    height, width = pixels.shape[1] // 2, pixels.shape[2] // 2
    blocks = pixels[:, : 2 * height, : 2 * width].reshape(3, height, 2, width, 2)
    return (blocks.mean(axis=(2, 4)) + 0.5).astype(np.uint8)


def _table(path: str, columns: set[str]) -> list[dict[str, str]] | None:
    rows = csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8")))
    return list(rows) if columns <= set(rows.fieldnames or ()) else None


def _image(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def _geotiff(data: bytes, entry: Entry) -> Pixels:
    # Only here: a machine that is lent for training has no GDAL.
    from rasterio.io import MemoryFile

    with MemoryFile(data) as memory, memory.open() as raster:
        if raster.count < 3 or raster.dtypes[0] != "uint8":
            raise EngineError(
                "bad_input",
                f'"{entry.name or entry.file}" has {raster.count} bands of type {raster.dtypes[0]}.',
                "Take GeoTIFFs whose first three bands are red, green and blue as bytes 0 to 255.",
            )
        values = raster.read((1, 2, 3))
        return np.asarray(values * (raster.dataset_mask() > 0), dtype=np.uint8)
