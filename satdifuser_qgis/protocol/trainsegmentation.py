"""Request of "Train a land-cover model"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Dict, Tuple

from .choices import DEVICE, ENCODER, EXTRACTION, FINETUNE, FUSION, HEAD, METADATA, SCALING, check_choice, check_threads
from .classes import StyledClass
from .errors import FieldError
from .nodata import NoData


@dataclass(frozen=True)
class TrainSegmentationRequest:
    """Learn land-cover classes from labels on rasters.

    Rasters are paths that GDAL opens. ``labels`` is a vector file, ``path`` or as QGIS writes it with ``|layername=``,
    ``|layerid=``, ``|subset=`` and ``|option:KEY=value``; without a layer's name the one with ``class_field``, if
    exactly one has it. ``label_copies`` are the same features in the CRSs of images that are in another one; what is in
    none of their CRSs is transformed by the engine. ``label_rasters`` are class rasters. ``bands`` are 1-based, in the
    order red, green, blue (empty: found by name). ``timesteps`` are noise levels and ``streams`` module paths in the
    backbone (empty: the backbone's own).
    ``validation`` is the share of the labelled ground that is held back, in spatial blocks, 0 to 0.9; 0 trains
    without a check. ``spectral`` gives the head the bands beside the features, and trains a classifier of single pixels
    that decides with it; validation says how much each of them counts, and without it they count alike. ``epochs`` 0 is
    automatic. ``finetune`` 1 trains a compact backbone with the head and keeps the result where the validation gets
    better. ``styles`` are class names, colours and order from the user's own style of the vector layer, and
    ``raster_styles`` those of each label raster, () where it has none. ``divisor`` belongs to scaling 3. ``nodata`` is
    what the user set for each image beside what it declares, ``input`` first, or () where nothing is set;
    ``label_nodata`` the same for each label raster. ``encoder`` is the companion encoder whose maps the classifiers of
    single pixels read; automatic takes it where it is installed and ``spectral`` is chosen.
    What is no parameter of the Toolbox: ``streams``, ``metadata`` (of backbones that know it), ``published`` (as
    SatDiFuser's published code does), ``threads``, ``name`` (empty: that of the file), ``styles``, ``raster_styles``,
    ``label_copies``, ``nodata``, ``label_nodata``.
    """

    TASK: ClassVar[str] = "trainsegmentation"
    OUTPUTS: ClassVar[Tuple[str, ...]] = ("model", "report")
    ENDINGS: ClassVar[Dict[str, Tuple[str, ...]]] = {"model": (".safetensors",), "report": (".html", ".htm")}
    READS: ClassVar[Tuple[str, ...]] = ("input", "more_inputs", "labels", "label_copies", "label_rasters")

    input: str
    model: str
    labels: str = ""
    label_copies: Tuple[str, ...] = ()
    class_field: str = ""
    label_rasters: Tuple[str, ...] = ()
    more_inputs: Tuple[str, ...] = ()
    bands: Tuple[int, ...] = ()
    scaling: int = 0
    divisor: float = 10000.0
    backbone: str = ""
    fusion: int = 0
    head: int = 0
    extraction: int = 0
    timesteps: Tuple[int, ...] = ()
    streams: Tuple[str, ...] = ()
    spectral: bool = True
    metadata: str = "zeros"
    published: bool = False
    epochs: int = 0
    finetune: int = 0
    validation: float = 0.2
    seed: int = 0
    device: int = 0
    threads: int = 0
    name: str = ""
    styles: Tuple[StyledClass, ...] = ()
    raster_styles: Tuple[Tuple[StyledClass, ...], ...] = ()
    report: str = ""
    nodata: Tuple[NoData, ...] = ()
    label_nodata: Tuple[NoData, ...] = ()
    encoder: int = 0

    def __post_init__(self) -> None:
        if not self.labels and not self.label_rasters:
            raise ValueError("there are no labels: give a vector layer with a class field, or label rasters")
        if self.label_copies and not self.labels:
            raise ValueError("label_copies are the labels in other CRSs, but there are no labels; name those first")
        if self.labels and not self.class_field:
            raise ValueError("class_field is empty: name the field of the labels that holds the class")
        if self.raster_styles and len(self.raster_styles) != len(self.label_rasters):
            raise ValueError(
                f"raster_styles has {len(self.raster_styles)} styles, label_rasters {len(self.label_rasters)} rasters; "
                "give one each, [] for a raster without a style"
            )
        if self.nodata and len(self.nodata) != 1 + len(self.more_inputs):
            raise ValueError(
                f"nodata has {len(self.nodata)} items, but there are {1 + len(self.more_inputs)} images; give one "
                "each, {} for an image without any"
            )
        if self.label_nodata and len(self.label_nodata) != len(self.label_rasters):
            raise ValueError(
                f"label_nodata has {len(self.label_nodata)} items, but there are {len(self.label_rasters)} label "
                "rasters; give one each, {} for a raster without any"
            )
        if any(band < 1 for band in self.bands):
            raise ValueError(f"bands are {self.bands} but bands are counted from 1")
        if not 0 <= self.validation <= 0.9:
            raise FieldError(f"{{validation}} is {self.validation} but must be a share from 0 to 0.9")
        if self.epochs < 0:
            raise FieldError(f"{{epochs}} is {self.epochs} but must be 0 (automatic) or more")
        if any(not 0 <= time < 1000 for time in self.timesteps):
            raise FieldError(f"{{timesteps}}: {_listed(self.timesteps)} is chosen, but they run from 0 to 999")
        if len(set(self.timesteps)) < len(self.timesteps):
            raise FieldError(
                f"{{timesteps}}: {_listed(self.timesteps)} is chosen, but each counts once: leave out repeated ones"
            )
        if self.metadata not in METADATA:
            raise ValueError(f'metadata is "{self.metadata}" but must be one of {", ".join(METADATA)}')
        if self.scaling == 3 and not self.divisor > 0:
            raise FieldError(
                f"{{divisor}} is {self.divisor}, but values are to be divided by it; give a number above 0"
            )
        check_choice("scaling", self.scaling, SCALING)
        check_choice("fusion", self.fusion, FUSION)
        check_choice("head", self.head, HEAD)
        check_choice("extraction", self.extraction, EXTRACTION)
        if EXTRACTION[self.extraction] == "clean" and (self.timesteps or self.published):
            given = f"{{timesteps}} ({_listed(self.timesteps)})" if self.timesteps else "published"
            raise FieldError(
                f"{{extraction}} is clean ({self.extraction}), which reads the image once, without noise; {given} "
                "cannot be chosen with it. Leave that out, or choose noised (1)"
            )
        check_choice("finetune", self.finetune, FINETUNE)
        check_choice("encoder", self.encoder, ENCODER)
        if self.encoder > 1 and not self.spectral:
            raise FieldError(
                f"{{encoder}} is {ENCODER[self.encoder]} ({self.encoder}), which is read beside the band values, but "
                "{spectral} is off. Switch that on, or choose no encoder (1)"
            )
        if self.finetune and (EXTRACTION[self.extraction] == "inversion" or self.validation == 0):
            raise FieldError(
                f"{{finetune}} is fine-tuned ({self.finetune}), but {{extraction}} is {EXTRACTION[self.extraction]} "
                f"({self.extraction}) and {{validation}} is {self.validation}. Fine-tuning needs an extraction other "
                "than inversion (2), and validation, which tells whether it pays; change these, or choose frozen (0)"
            )
        if not 0 <= self.seed < 2**63:
            raise FieldError(f"{{seed}} is {self.seed} but must be from 0 to 2^63 - 1")
        check_choice("device", self.device, DEVICE)
        check_threads(self.threads)


def _listed(numbers: Tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
