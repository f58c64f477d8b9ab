"""Request of "Map land cover with a model"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Dict, Optional, Tuple

from .choices import DEVICE, check_choice, check_threads
from .errors import FieldError
from .nodata import AS_DECLARED, NoData

_RASTER = (".tif", ".tiff")


@dataclass(frozen=True)
class SegmentRequest:
    """Give every pixel of one raster a class.

    ``model`` is a model file, or the name of a shipped or stored model. ``bands`` are 1-based (empty: matched
    to the model's by name). ``extent`` is xmin, ymin, xmax, ymax in the raster's CRS. ``overlap`` is a
    percentage of a tile. ``sieve`` (of the raster, and so of all that is made of it) and ``min_area`` (of the polygons
    alone) are in m², in pixels where the raster has no CRS; ``simplify`` is in map units. Empty outputs are not
    written. ``nodata`` is what the user set beside what the raster declares.
    """

    TASK: ClassVar[str] = "segment"
    OUTPUTS: ClassVar[Tuple[str, ...]] = ("output", "polygons", "probabilities", "entropy", "report")
    ENDINGS: ClassVar[Dict[str, Tuple[str, ...]]] = {
        "output": _RASTER,
        "polygons": (".gpkg", ".geojson", ".shp", ".fgb"),
        "probabilities": _RASTER,
        "entropy": _RASTER,
        "report": (".html", ".htm"),
    }
    READS: ClassVar[Tuple[str, ...]] = ("input", "model")

    input: str
    model: str
    output: str
    bands: Tuple[int, ...] = ()
    extent: Optional[Tuple[float, float, float, float]] = None
    overlap: int = 25
    min_area: float = 0.0
    simplify: float = 0.0
    device: int = 0
    batch: int = 0
    threads: int = 0
    polygons: str = ""
    probabilities: str = ""
    entropy: str = ""
    nodata: NoData = AS_DECLARED
    sieve: float = 0.0
    report: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 75:
            raise FieldError(f"{{overlap}} is {self.overlap} % but must be from 0 to 75 % of a tile")
        for name in ("sieve", "min_area", "simplify"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise FieldError(f"{{{name}}} is {value} but must be 0 (off) or more")
        if self.batch < 0:
            raise FieldError(f"{{batch}} is {self.batch} but must be 0 (automatic) or more")
        if any(band < 1 for band in self.bands):
            raise ValueError(f"bands are {self.bands} but bands are counted from 1")
        if self.extent is not None and (self.extent[0] >= self.extent[2] or self.extent[1] >= self.extent[3]):
            raise ValueError(f"the extent {self.extent} is empty; it must be xmin, ymin, xmax, ymax")
        check_choice("device", self.device, DEVICE)
        check_threads(self.threads)
