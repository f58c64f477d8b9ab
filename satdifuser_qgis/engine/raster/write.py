"""Rasters written part by part and turned into cloud optimised GeoTIFFs, with colours and names of classes."""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape  # nosec B406

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from ...protocol.classes import LandCoverClass
from ...protocol.errors import EngineError
from ..failures import explain, is_no_memory
from ..outputs import is_scratch, target_of
from .grid import Grid, Window
from .read import CACHE_BYTES

# Errors when GDAL closes or copies a file come without rasterio's own kind of error around them.
_FAILURES = (RasterioError, CPLE_BaseError, OSError)
_BLOCK = 512
CLASS_TAG = "CLASS_"


class BandWriter:
    """Writes a raster on the pixels of ``window`` of ``grid``; a context manager.

    Parts arrive in any order by `write`; leaving the ``with`` block makes the COG at ``path``, or removes
    everything where an error is on its way. ``classes`` make it a class raster: colour table, names (as tags
    in the file, and as category names in ``<path>.aux.xml``, the only place where GDAL keeps them) and
    overviews by majority. ``tags`` are provenance. The same input gives the same bytes, whatever the number of
    ``threads`` that compress.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        window: Window,
        count: int,
        dtype: str,
        nodata: float | None,
        names: Sequence[str] = (),
        classes: Sequence[LandCoverClass] | None = None,
        tags: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> None:
        self.path = Path(path)
        self.threads = threads
        self.grid = grid.crop(window)
        self.classes = tuple(classes or ())
        # The name begins with the target's, so that Outputs.discard finds it after a crash.
        self._work = self.path.with_name(f"{self.path.name}-work.tif")
        self._closed = False
        self._nothing = 0.0 if nodata is None else nodata
        shape = (count, -(-self.grid.height // _BLOCK), -(-self.grid.width // _BLOCK))
        self._written = np.zeros(shape, np.bool_)
        with self._writing():
            self._check_space(count * np.dtype(dtype).itemsize)
            self._file = rasterio.open(self._work, "w", **self._profile(count, dtype, nodata))
            self._describe(names, dict(tags or {}))

    def __enter__(self) -> BandWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def write(self, row: int, array: NDArray[Any], col: int = 0) -> None:
        """Writes ``array`` (count,h,w); ``row`` and ``col`` count from the window's first."""
        height, width = array.shape[1:]
        if row + height > self.grid.height or col + width > self.grid.width:
            raise ValueError(
                f"{width} x {height} px at row {row}, column {col} reach beyond {self.grid.width} x {self.grid.height}"
            )
        area = rasterio.windows.Window(col, row, width, height)
        with self._writing():
            self._file.write(array.astype(self._file.dtypes[0], copy=False), window=area)
        self._note(row, col, array)

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Adds provenance to that of the file, up to its closing."""
        with self._writing():
            self._file.update_tags(**tags)

    def close(self) -> None:
        """Turns what was written into a COG at ``path``; closing twice is no error."""
        if self._closed:
            return
        options: dict[str, Any] = {"resampling": "mode" if self.classes else "average"}
        options |= {"compress": "deflate", "predictor": "yes", "blocksize": _BLOCK, "bigtiff": "if_safer"}
        options["num_threads"] = self.threads
        try:
            with self._writing():
                self._file.close()
                self._check_blocks(self._work)
                rasterio.shutil.copy(self._work, self.path, driver="COG", **options)
                self._check_blocks(self.path)
                if self.classes and max(entry.code for entry in self.classes) <= 255:
                    side = self.path.with_name(f"{self.path.name}.aux.xml")
                    side.write_text(category_names(self.classes), encoding="utf-8")
        except EngineError:
            self.discard()
            raise
        self.discard(keep_result=True)

    def discard(self, keep_result: bool = False) -> None:
        """Removes the work file, and the result where it is not to be kept."""
        if self._closed:
            return
        self._closed = True
        with suppress(*_FAILURES):  # a full disk was told of already
            self._file.close()
        names = [self._work] if keep_result else [self._work, self.path]
        for path in names:
            # the folder may have become read-only, which whoever wrote there tells of
            with suppress(OSError):
                path.unlink()

    def _note(self, row: int, col: int, array: NDArray[Any]) -> None:
        """Notes the blocks (band, row, column) that the file must hold: those with something but nodata."""
        height, width = array.shape[1:]
        held = ~np.isnan(array) if np.isnan(self._nothing) else array != self._nothing
        for block_row in range(row // _BLOCK, -(-(row + height) // _BLOCK)):
            rows = slice(max(0, block_row * _BLOCK - row), (block_row + 1) * _BLOCK - row)
            for block_col in range(col // _BLOCK, -(-(col + width) // _BLOCK)):
                cols = slice(max(0, block_col * _BLOCK - col), (block_col + 1) * _BLOCK - col)
                self._written[:, block_row, block_col] |= held[:, rows, cols].any(axis=(1, 2))

    def _check_blocks(self, path: Path) -> None:
        """Raises OSError where a block is missing: what fails when GDAL closes a file is told on stderr only."""
        size = path.stat().st_size
        with rasterio.open(path) as file:
            for band, row, col in np.argwhere(self._written).tolist():
                place = f"{col}_{row}"
                start, length = (
                    int(file.get_tag_item(f"BLOCK_{what}_{place}", "TIFF", bidx=band + 1) or 0)
                    for what in ("OFFSET", "SIZE")
                )
                if not 0 < start < start + length <= size:
                    raise OSError(f"block {place} of band {band + 1} was not written")

    def _profile(self, count: int, dtype: str, nodata: float | None) -> dict[str, Any]:
        # Uncompressed, so that rows that end within a tile can be completed in place.
        profile = {"driver": "GTiff", "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "bigtiff": "if_safer"}
        profile |= {"width": self.grid.width, "height": self.grid.height, "count": count, "dtype": dtype}
        profile |= {"nodata": nodata, "sparse_ok": True, "interleave": "band"}
        if self.grid.placed:
            profile["transform"] = self.grid.transform
        if self.grid.stated_wkt:
            profile["crs"] = rasterio.CRS.from_wkt(self.grid.stated_wkt)
        return profile

    def _describe(self, names: Sequence[str], tags: dict[str, str]) -> None:
        for band, name in enumerate(names, start=1):
            self._file.set_band_description(band, name)
        if self.classes:
            self._file.write_colormap(1, {entry.code: (*entry.rgb, 255) for entry in self.classes})
            self._file.colorinterp = [ColorInterp.palette]
            tags |= {f"{CLASS_TAG}{entry.code}": entry.name for entry in self.classes}
        self._file.update_tags(**tags)

    def _check_space(self, bytes_a_pixel: int) -> None:
        """The work file is uncompressed and its COG may be as large."""
        needed = 2 * bytes_a_pixel * self.grid.width * self.grid.height
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise EngineError(
                "no_space",
                f'Writing "{target_of(self.path).name}" takes up to {in_bytes(needed)} but "{self.path.parent}" has '
                f"{in_bytes(free)} free.",
                "Free some space, choose another folder, or map a smaller extent.",
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Limits GDAL's cache, and turns a failed write into an error that names the file."""
        try:
            with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                yield
        except _FAILURES as error:
            raise cannot_write(self.path, error) from error


def cannot_write(path: Path, error: Exception) -> EngineError:
    """What a failed write of ``path`` (a part of the user's target) means: a full disk, or a place that forbids it."""
    if is_no_memory(error):
        return explain(error)
    folder, text = path.parent, str(error)
    full = getattr(error, "errno", 0) == errno.ENOSPC or "No space left" in text or "disk is full" in text
    full = full or (folder.is_dir() and shutil.disk_usage(folder).free < _BLOCK**2)
    what = f'A work file in "{folder}"' if is_scratch(path) else f'"{target_of(path)}"'
    return EngineError(
        "no_space" if full else "bad_request",
        f"{what} cannot be written{': the disk is full' if full else ''}.",
        "Free some space or choose another folder." if full else "Choose another folder, or close the file.",
        detail=text,
    )


def in_bytes(count: int) -> str:
    """Bytes in words: "0.3 MB", "12.0 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def category_names(classes: Sequence[LandCoverClass]) -> str:
    """GDAL's side file (PAM) with a name for each code up to the largest, "" where there is no class."""
    # Text is only written here; the parser that bandit warns of is not used.
    names = {entry.code: entry.name for entry in classes}
    lines = [f"      <Category>{escape(names.get(code, ''))}</Category>" for code in range(max(names) + 1)]
    body = "\n".join(lines)
    return (
        '<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n'
        f"{body}\n    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )
