"""Toolbox entry "Map land cover with a model"."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterDistance,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)
from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from ...protocol.segment import SegmentRequest
from ...styling.looks import ClassMap, ClassPolygons, Look, Share
from .. import choices, values
from ..base import EngineAlgorithm
from ..images import Image
from ..models import find_model, land_cover_card
from ..parameters import ModelParameter, RasterParameter, zero_as

translate = QCoreApplication.translate


class Segment(EngineAlgorithm):
    """Raster and model in, class raster out; on request polygons, probabilities and entropy."""

    NAME, GROUP, ICON = "segment", "landcover", "segment"
    TITLE = QT_TRANSLATE_NOOP("SatDiFuser", "Map land cover with a model")
    SHORT = QT_TRANSLATE_NOOP(
        "SatDiFuser", "Assigns a land-cover class to every pixel of an image with a trained model."
    )
    HELP = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "Assigns one of a model's classes to every pixel of an image, which need not be the one that the model was "
        "trained on. The map is a Cloud Optimized GeoTIFF on the grid of the image, with the names and colours of the "
        "classes. Nodata stays nodata. Train a model first with “Train a land-cover model”.",
    )
    TAGS = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "classification,classify,land use,land cover,LULC,supervised,deep learning,AI,segmentation,prediction,"
        "inference,map,satellite,aerial,diffusion",
    )

    INPUT, MODEL, BANDS, EXTENT, OVERLAP = "INPUT", "MODEL", "BANDS", "EXTENT", "OVERLAP"
    SIEVE, MIN_AREA, SIMPLIFY, DEVICE, BATCH = "SIEVE", "MIN_AREA", "SIMPLIFY", "DEVICE", "BATCH"
    OUTPUT, POLYGONS, PROBABILITIES, ENTROPY = "OUTPUT", "POLYGONS", "PROBABILITIES", "ENTROPY"
    REPORT, AREAS = "REPORT", "AREAS"
    SECONDS, MEGAPIXELS_PER_SECOND, SEAMS, DEVICE_USED = "SECONDS", "MEGAPIXELS_PER_SECOND", "SEAMS", "DEVICE_USED"

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:
        self._add_inputs()
        self._add_advanced()
        self._add_outputs()

    def _add_inputs(self) -> None:
        self.add(
            RasterParameter(self.INPUT, translate("SatDiFuser", "Image")),
            translate(
                "SatDiFuser",
                "The image to map: a raster file. It may show another place and date than the training image.",
            ),
        )
        self.add(
            ModelParameter(self.MODEL, translate("SatDiFuser", "Model")),
            translate(
                "SatDiFuser",
                "The land-cover model. The list holds the models of your model store, with their classes, bands, pixel "
                "size, mean IoU in validation and date. The path of another model file (.safetensors) or just the name "
                "of a model can be written too.",
            ),
        )

    def _add_advanced(self) -> None:
        integer, double = QgsProcessingParameterNumber.Type.Integer, QgsProcessingParameterNumber.Type.Double
        self.add(
            QgsProcessingParameterBand(
                self.BANDS,
                translate("SatDiFuser", "Bands"),
                parentLayerParameterName=self.INPUT,
                optional=True,
                allowMultiple=True,
            ),
            translate(
                "SatDiFuser",
                "The bands of the image that correspond to the model's bands, in their order. "
                "Empty: found by their names. On a command line write 3,2,1.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterExtent(self.EXTENT, translate("SatDiFuser", "Extent"), optional=True),
            translate(
                "SatDiFuser",
                "The area to map, extended to whole pixels. Empty: the whole image. "
                "The result is the same as in a map of the whole image.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.SIEVE, translate("SatDiFuser", "Smallest patch [m²]"), double, 0.0, minValue=0.0
            ),
            translate(
                "SatDiFuser",
                "Patches of the map below this area are merged into the neighbour with the longest common border; "
                "polygons and areas follow. In square metres, or in pixels where the image has no CRS. "
                "0: every patch stays.",
            ),
            advanced=True,
            decimals=2,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.MIN_AREA, translate("SatDiFuser", "Smallest polygon [m²]"), double, 0.0, minValue=0.0
            ),
            translate(
                "SatDiFuser",
                "Polygons below this area are merged into a neighbour. In square metres, or in pixels where the image "
                "has no CRS. The raster is not changed.",
            ),
            advanced=True,
            decimals=2,
        )
        self.add(
            QgsProcessingParameterDistance(
                self.SIMPLIFY, translate("SatDiFuser", "Simplify borders by"), 0.0, self.INPUT, minValue=0.0
            ),
            translate(
                "SatDiFuser",
                "The borders of polygons are simplified by about this distance; neighbours keep their common border. "
                "0: borders follow the pixels. Simplifying holds all polygons in memory, following the pixels does "
                "not.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.DEVICE, translate("SatDiFuser", "Device"), choices.device()),
            choices.device_help(),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.OVERLAP, translate("SatDiFuser", "Overlap of tiles [%]"), integer, 25, minValue=0, maxValue=75
            ),
            translate(
                "SatDiFuser",
                "The image is mapped in square tiles. The more neighbouring tiles overlap, the less their seams show "
                "and the longer the mapping takes.",
            ),
            advanced=True,
        )
        self.add(
            zero_as(
                QgsProcessingParameterNumber(
                    self.BATCH, translate("SatDiFuser", "Tiles at once"), integer, 0, minValue=0
                ),
                translate("SatDiFuser", "Automatic"),
            ),
            translate(
                "SatDiFuser",
                "How many tiles are computed together. It changes speed and memory, not the map. 0: automatic.",
            ),
            advanced=True,
        )

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, translate("SatDiFuser", "Land cover")),
            translate("SatDiFuser", "The map: a GeoTIFF of class codes with names and colours."),
        )
        self.add(
            QgsProcessingParameterVectorDestination(
                self.POLYGONS,
                translate("SatDiFuser", "Polygons"),
                QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True,
                createByDefault=False,
            ),
            translate(
                "SatDiFuser",
                "The map as polygons without gaps or overlaps, with class, name, area and confidence.",
            ),
        )
        self.add(
            QgsProcessingParameterRasterDestination(
                self.PROBABILITIES, translate("SatDiFuser", "Probabilities"), optional=True, createByDefault=False
            ),
            translate("SatDiFuser", "The probability of each class, 0 to 1, one band per class."),
        )
        self.add(
            QgsProcessingParameterRasterDestination(
                self.ENTROPY, translate("SatDiFuser", "Entropy"), optional=True, createByDefault=False
            ),
            translate(
                "SatDiFuser",
                "How uncertain the model is: 0 where one class is certain, 1 where all are equally likely.",
            ),
        )
        self.add(
            QgsProcessingParameterFileDestination(
                self.REPORT,
                translate("SatDiFuser", "Report"),
                translate("SatDiFuser", "Report (*.html)"),
                optional=True,
                createByDefault=False,
            ),
            translate(
                "SatDiFuser", "A page with the area of each class in hectares and per cent, and how the map was made."
            ),
        )
        self.addOutput(QgsProcessingOutputNumber(self.SECONDS, translate("SatDiFuser", "Seconds")))
        self.addOutput(
            QgsProcessingOutputNumber(self.MEGAPIXELS_PER_SECOND, translate("SatDiFuser", "Megapixels per second"))
        )
        self.addOutput(
            QgsProcessingOutputNumber(self.SEAMS, translate("SatDiFuser", "Seam ratio (1 = no visible seams)"))
        )
        self.addOutput(QgsProcessingOutputString(self.DEVICE_USED, translate("SatDiFuser", "Device used")))
        self.addOutput(QgsProcessingOutputString(self.AREAS, translate("SatDiFuser", "Area of each class (JSON)")))

    def request(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> SegmentRequest:
        image, path = self.image(parameters, self.INPUT, context)
        self._image = image.name
        model = find_model(self.parameterAsString(parameters, self.MODEL, context), self.label(self.MODEL))
        self.sources.files[self.label(self.MODEL)] = [model]
        self._classes = land_cover_card(model, self.label(self.MODEL)).classes
        return SegmentRequest(
            input=path,
            model=model,
            output=outputs[self.OUTPUT],
            bands=values.bands(parameters.get(self.BANDS), self.label(self.BANDS), image),
            extent=self._extent(parameters, context, image),
            overlap=self.parameterAsInt(parameters, self.OVERLAP, context),
            min_area=self.parameterAsDouble(parameters, self.MIN_AREA, context),
            simplify=self.parameterAsDouble(parameters, self.SIMPLIFY, context),
            device=self.parameterAsEnum(parameters, self.DEVICE, context),
            batch=self.parameterAsInt(parameters, self.BATCH, context),
            polygons=outputs[self.POLYGONS],
            probabilities=outputs[self.PROBABILITIES],
            entropy=outputs[self.ENTROPY],
            sieve=self.parameterAsDouble(parameters, self.SIEVE, context),
            report=outputs[self.REPORT],
            nodata=image.nodata,
        )

    def _extent(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, image: Image
    ) -> Optional[values.Extent]:
        if parameters.get(self.EXTENT) in (None, ""):
            return None
        given = self.parameterAsExtent(parameters, self.EXTENT, context, image.crs_in_file)
        return values.extent(given, self.label(self.EXTENT), image)

    def layer_names(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Dict[str, str]:
        image = self._image
        return {
            self.OUTPUT: translate("SatDiFuser", "{image} – land cover").format(image=image),
            self.POLYGONS: translate("SatDiFuser", "{image} – land cover polygons").format(image=image),
            self.PROBABILITIES: translate("SatDiFuser", "{image} – class probabilities").format(image=image),
            self.ENTROPY: translate("SatDiFuser", "{image} – entropy").format(image=image),
        }

    def looks(self) -> Dict[str, Look]:
        classes = self._classes
        return {
            self.OUTPUT: ClassMap(classes),
            self.POLYGONS: ClassPolygons(classes),
            self.ENTROPY: Share(),
            self.PROBABILITIES: Share(),
        }
