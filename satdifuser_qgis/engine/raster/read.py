"""Rasters opened for reading: which bands are red, green and blue, and windows with their valid pixels."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from ...protocol.crs import names_no_place
from ...protocol.errors import EngineError
from ...protocol.inside import raster_name
from ...protocol.nodata import AS_DECLARED, NoData
from ..failures import explain, is_no_memory
from ..reporter import Reporter, Silent
from ..unopened import not_opened
from .bands import band_name, identify, listed_bands, role_of
from .declared import declared_centres, sensor_tags, stacked_files
from .gaps import Filled
from .grid import Grid, Window
from .ground import check_ground
from .held import Bools, Floats, Held
from .masks import has_mask, is_given, is_masked, mask_note, opacity_bands
from .matching import choice_note, match_bands, match_notes, position_note, trained_bands
from .units import declared_units

# GDAL would take 5 % of the machine's memory, which a band of rows does not need.
CACHE_BYTES = 64 * 2**20
# Their values can be large with small differences, which float32 would round away before they are scaled.
_WIDE = ("int32", "uint32", "int64", "uint64", "float64")
_FINGERPRINT_CHUNK = 65536
_FINGERPRINT_CHUNKS = 16
_SILENT = Silent()


class Raster:
    """A raster opened for reading; a context manager. Bands are counted from 1.

    ``name`` is by `raster_name`. ``band_names`` are the bands' descriptions, "" where it says nothing ("Band 1").
    ``alpha`` are bands that the file declares as opacity: a mask, not a measurement, unless they are read as one of the
    chosen bands. ``filled`` says where data can lie at all. ``nodata`` is what the user set beside what the file
    declares. ``units`` are the scale and offset that the file declares for each band: values are read as stored.
    ``tags`` are the file's own, by domain ("" and "IMAGERY").
    """

    def __init__(self, path: str, nodata: NoData = AS_DECLARED) -> None:
        self.path = path
        self.nodata = nodata
        self.name = raster_name(path)
        self.dataset = _open(path)
        try:
            check_ground(self.dataset, path, self.name)
        except EngineError:
            self.dataset.close()
            raise
        self.grid = _grid(self.dataset)
        # Read now: a dataset belongs to the thread that reads its pixels.
        self.tags: dict[str, dict[str, str]] = {name: self.dataset.tags(ns=name or None) for name in ("", "IMAGERY")}
        self.units = declared_units(self.dataset)
        self.filled = Filled(self.dataset, nodata, self.units)
        self.band_count: int = self.dataset.count
        self.band_names = tuple(band_name(text or "") for text in self.dataset.descriptions)
        self.dtype: str = self.dataset.dtypes[0]
        self._floats = np.float64 if any(kind in _WIDE for kind in self.dataset.dtypes) else np.float32
        self.alpha = opacity_bands(self.dataset, self.band_names)
        self._centres = declared_centres(self.dataset)
        names = self.band_names if any(self.band_names) else stacked_files(self.dataset)
        self.bands = identify(names, self._centres, self._colours(), (self.name, *sensor_tags(self.tags)))

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; closing twice is no error."""
        self.dataset.close()

    def choose_bands(
        self,
        wanted: tuple[int, ...] = (),
        names: tuple[str, ...] = (),
        positions: tuple[int, ...] = (),
        first: str = "",
        centres: tuple[float, ...] = (),
        reporter: Reporter = _SILENT,
    ) -> tuple[int, ...]:
        """The three bands to use as red, green and blue; where something was assumed, the reporter is told what.

        ``wanted`` is the user's own choice and is only checked. ``names`` and ``centres`` (wavelengths in nm) are a
        model's, with the ``positions`` they had in its training data, or those of the ``first`` image of a training:
        bands are found by name, colour and wavelength, and taken by position only where model or raster says nothing
        of them. With neither, red, green and blue are those that `identify` finds, else the first three; fewer bands
        are repeated.
        Raises EngineError: bad_request for bands that are not there, bad_input where names disagree.
        """
        if wanted:
            return self._checked(wanted)
        measured, trained = self._measured(), trained_bands(names, centres)
        notes: list[tuple[str, str]] = []
        if names and all(band.told for band in trained.bands) and any(self.bands[number].told for number in measured):
            bands = match_bands(self.name, self.bands, measured, self.names_of(measured), trained, first)
            renamed = [name.casefold() for name in self.names_of(bands)] != [name.casefold() for name in names]
            notes = match_notes(self.name, self.bands, self._listed(bands), renamed, trained, first)
        elif names:
            fits = positions and max(positions) <= self.band_count
            bands = self._checked(positions) if fits else self._natural(measured)
            notes = [(position_note(self.name, self.bands, self._listed(bands), trained, first), "warning")]
        else:
            bands = self._natural(measured)
            notes = [(choice_note(self.name, self.bands, measured, self._listed(bands)), "warning")]
        for note, level in notes:
            if note:
                reporter.log(note, level)
        return bands

    def centres_of(self, bands: tuple[int, ...]) -> tuple[float, ...]:
        """Their centre wavelengths in nm, as declared or by the sensor; 0 where unknown.

        Where several sensors fit, those of the assumed one count only for what it makes red, green and blue.
        """
        sure = not self.bands.rivals or bands == self.bands.natural(self._measured())
        return tuple(self.bands[band].centre_nm if sure else self._centres[band - 1] for band in bands)

    def names_of(self, bands: tuple[int, ...]) -> tuple[str, ...]:
        """The names by which bands are found again: description, else red, green or blue as tagged, else ""."""
        colours = self._colours()
        return tuple(self.band_names[band - 1] or colours[band - 1] for band in bands)

    def describe_bands(self, bands: tuple[int, ...]) -> str:
        """Bands for the log: "4 (B04), 3 (B03), 2 (B02) of Sentinel-2", and a word where one is repeated."""
        text = self._listed(bands)
        if self.bands.sensor and not self.bands.rivals:
            text += f" of {self.bands.sensor}"
        return text if len(set(bands)) == len(bands) else f"{text}; a band is repeated to make up three"

    def mask_note(self, bands: tuple[int, ...]) -> str:
        """A sentence for the log on what makes pixels of the chosen bands invalid, "" where nothing does."""
        return mask_note(self.dataset, self.name, bands, self._opacity(bands), self.nodata)

    def read(self, bands: tuple[int, ...], window: Window) -> tuple[Floats, Bools]:
        """Values (C,h,w) as stored, float32 or of 32-bit integers and wider float64; which pixels are valid (h,w).

        A pixel is valid where every chosen band is: no nodata of the file or the user, no NaN or infinity, within the
        range of float32, not masked or transparent.
        Invalid values are 0. What lies beyond the raster is invalid. Raises EngineError("bad_input").
        """
        values = np.zeros((len(bands), window.height, window.width), self._floats)
        valid = np.zeros((window.height, window.width), np.bool_)
        inside = window.intersection(self.grid.whole)
        if inside.empty or not self.filled.meets(inside):
            return values, valid
        for part in self._pieces(inside):
            top, left = part.row - window.row, part.col - window.col
            rows, cols = slice(top, top + part.height), slice(left, left + part.width)
            values[:, rows, cols], valid[rows, cols] = self._read(
                bands, _rasterio_window(part), (part.height, part.width)
            )
        return values, valid

    def across(self, bands: tuple[int, ...], window: Window, side: int) -> Raster | Held:
        """What squares of ``side`` pixels in a wide window are to be read from: by `read` of this raster or of a copy.

        Where the file's blocks are much wider than a square, as in files of rows, each square would unpack its rows
        anew: then the window is read at once and kept, 4 or 8 bytes a pixel and band.
        """
        if self.dataset.block_shapes[0][1] <= 2 * side:
            return self
        return Held(window, *self.read(bands, window))

    def read_thinned(self, bands: tuple[int, ...], most_pixels: int) -> tuple[Floats, Bools]:
        """The whole raster, thinned evenly to at most ``most_pixels`` a band; as `read`."""
        step = max(1.0, math.sqrt(self.grid.width * self.grid.height / most_pixels))
        height, width = max(1, int(self.grid.height / step)), max(1, int(self.grid.width / step))
        values = np.zeros((len(bands), height, width), self._floats)
        valid = np.zeros((height, width), np.bool_)
        down, across = self.grid.height / height, self.grid.width / width
        piece = self.piece()
        for rows in _slices(height, piece[0] / down):
            for cols in _slices(width, piece[1] / across):
                shape = rows.stop - rows.start, cols.stop - cols.start
                area = rasterio.windows.Window(
                    cols.start * across, rows.start * down, shape[1] * across, shape[0] * down
                )
                values[:, rows, cols], valid[rows, cols] = self._read(bands, area, shape)
        return values, valid

    def piece(self) -> tuple[int, int]:
        """Rows and columns, in whole blocks of the file, whose bands fit into GDAL's cache twice.

        GDAL reads line by line. A line of larger blocks would not stay in the cache until the next one needs it, and
        each block would be unpacked for every line.
        """
        rows, cols = self.dataset.block_shapes[0]
        row_bytes = self.band_count * np.dtype(self.dtype).itemsize * rows
        return rows, max(cols, CACHE_BYTES // 2 // (row_bytes * cols) * cols)

    def _pieces(self, window: Window) -> Iterator[Window]:
        """A window by rows of blocks that fit into GDAL's cache twice, where each band and mask then finds them."""
        height, width = self.dataset.block_shapes[0]
        columns = -(-(window.col + window.width) // width) - window.col // width
        line = self.band_count * np.dtype(self.dtype).itemsize * height * width * columns
        step = max(1, CACHE_BYTES // 2 // line) * height
        row, end = window.row, window.row + window.height
        while row < end:
            below = min(end, row // height * height + step)
            yield Window(row, window.col, below - row, window.width)
            row = below

    def read_codes(self, window: Window) -> tuple[NDArray[np.generic], Bools]:
        """Band 1 as stored (h,w) and which of its pixels are valid, as in `read` but for numbers that are none; the
        window must lie inside the raster."""
        area = _rasterio_window(window)
        with _reading(self.path):
            stored = self.dataset.read(1, window=area)
            valid = np.ones(stored.shape, np.bool_)
            if is_masked(self.dataset, 1, self.nodata):
                valid = self.dataset.read_masks(1, window=area) > 0
        if self.nodata.ranges:
            valid &= ~is_given(stored.astype(np.float64), 1, self.nodata, self.units[0])
        return stored, valid

    def fingerprint(self) -> str:
        """A digest that tells this raster from others, wherever it lies.

        Of size, type, grid and up to 16 evenly spaced pieces of the file (a raster may have 100 GB). A VRT
        answers for its own text, not for the files it names.
        """
        digest = hashlib.sha256()
        parts = (self.band_count, self.dataset.dtypes, self.band_names, self.grid)
        digest.update(repr(parts).encode())
        if os.path.isfile(self.path):
            size = os.path.getsize(self.path)
            last = max(0, size - _FINGERPRINT_CHUNK)
            with open(self.path, "rb") as file:
                for offset in sorted({last * i // (_FINGERPRINT_CHUNKS - 1) for i in range(_FINGERPRINT_CHUNKS)}):
                    file.seek(offset)
                    digest.update(file.read(_FINGERPRINT_CHUNK))
            digest.update(str(size).encode())
        return digest.hexdigest()

    def _read(
        self, bands: tuple[int, ...], area: rasterio.windows.Window, shape: tuple[int, int]
    ) -> tuple[Floats, Bools]:
        with _reading(self.path):
            stored = self.dataset.read(list(bands), window=area, out_shape=(len(bands), *shape))
            valid = np.ones(shape, np.bool_)
            for band in dict.fromkeys(bands):
                if has_mask(self.dataset, band, self.nodata):
                    valid &= self.dataset.read_masks(band, window=area, out_shape=shape) > 0
            for band in self._opacity(bands):
                valid &= self.dataset.read(band, window=area, out_shape=shape) > 0
        with np.errstate(over="ignore", invalid="ignore"):
            values: Floats = stored.astype(self._floats)
            valid &= np.isfinite(values.astype(np.float32, copy=False)).all(axis=0)
        for band, of_band in zip(bands, values, strict=True) if self.nodata.ranges else ():
            valid &= ~is_given(of_band, band, self.nodata, self.units[band - 1])
        values[:, ~valid] = 0
        return values, valid

    def _opacity(self, bands: tuple[int, ...]) -> tuple[int, ...]:
        """The bands that mask ``bands``: who chooses a band, by hand or by a model, says that it is a measurement."""
        return tuple(band for band in self.alpha if band not in bands)

    def _checked(self, bands: tuple[int, ...]) -> tuple[int, ...]:
        if len(bands) != 3:
            raise EngineError(
                "bad_request",
                f'{len(bands)} bands are chosen for "{self.name}" but 3 are needed: red, green and blue.',
                "Name three; one band may be named more than once.",
            )
        for band in bands:
            if not 1 <= band <= self.band_count:
                raise EngineError(
                    "bad_request",
                    f'Band {band} is chosen but "{self.name}" has {self.band_count}.',
                    f"Choose three bands from 1 to {self.band_count}, in the order red, green, blue.",
                )
            if self.dataset.colorinterp[band - 1] == ColorInterp.palette:
                raise EngineError(
                    "bad_input",
                    f'Band {band} of "{self.name}" is a map with a colour table, not an image.',
                    "Choose an image, or expand the colours first (Raster > Conversion > PCT to RGB).",
                )
        return bands

    def _listed(self, bands: tuple[int, ...]) -> str:
        return listed_bands(bands, self.names_of(bands))

    def _natural(self, measured: tuple[int, ...]) -> tuple[int, ...]:
        first = (*measured[:3], *[measured[-1]] * (3 - len(measured)))
        return self.bands.natural(measured) or first

    def _measured(self) -> tuple[int, ...]:
        """All bands but alpha; what is left must be an image."""
        bands = tuple(band for band in range(1, self.band_count + 1) if band not in self.alpha)
        self._checked((bands or (1,))[:1] * 3)
        return bands or (1,)

    def _colours(self) -> tuple[str, ...]:
        """red, green, blue or "" a band, as the file is tagged."""
        return tuple(role_of(colour.name) for colour in self.dataset.colorinterp)


def files_behind(path: str) -> list[str]:
    """All files that a raster is read from, those of mosaics in mosaics too; none where it cannot be opened."""
    found: dict[str, None] = {}
    waiting = [path]
    while waiting:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                with rasterio.open(waiting.pop()) as file:
                    new = [name for name in file.files if name not in found]
        except RasterioError:  # told by whoever opens the raster itself
            continue
        found |= dict.fromkeys(new)
        waiting += [name for name in new if name.lower().endswith(".vrt")]
    return list(found)


def open_raster(path: str, nodata: NoData = AS_DECLARED) -> Raster:
    """Opens a raster. Raises EngineError("bad_input") where it is missing, no raster, or in no map geometry."""
    return Raster(path, nodata)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Limits GDAL's cache, and turns a failed read into an error that names the file."""
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
            yield
    except RasterioError as error:
        if is_no_memory(error):
            raise explain(error) from error
        raise EngineError(
            "bad_input",
            f'The raster "{path}" cannot be read to its end.',
            "The file, or one that it refers to, is damaged or missing: get it again, then repeat.",
            detail=f"{error}; {error.__cause__}",
        ) from error


def _open(path: str) -> rasterio.DatasetReader:
    if not path:
        raise EngineError("bad_request", "No raster is given.", "Choose one.")
    try:
        with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path)
    except RasterioError as error:
        remedy = "Open it in QGIS, save it as GeoTIFF (layer menu, Export, Save As) and choose that file."
        raise not_opened(path, "raster", remedy, error) from error


def _grid(dataset: rasterio.DatasetReader) -> Grid:
    wkt = dataset.crs.to_wkt(version="WKT2_2019") if dataset.crs else ""
    placed = not dataset.transform.is_identity
    # QGIS draws a file without geotransform one unit a pixel with rows downwards; labels drawn on it lie there.
    transform = dataset.transform if placed else Affine(1, 0, 0, 0, -1, 0)
    crs, nowhere = ("", wkt) if names_no_place(wkt) else (wkt, "")
    return Grid(crs, transform, dataset.width, dataset.height, placed, nowhere)


def _rasterio_window(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


def _slices(length: int, piece: float) -> Iterator[slice]:
    """Slices of about ``piece`` that cover ``length``; none is empty."""
    size = max(1, int(piece))
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
