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
from ..models import find_model, read_classes
from ..parameters import ModelParameter, RasterParameter

translate = QCoreApplication.translate


class Segment(EngineAlgorithm):
    """Raster and model in, class raster out; on request polygons, probabilities and entropy."""

    NAME, GROUP, ICON = "segment", "landcover", "segment"
    TITLE = QT_TRANSLATE_NOOP("SatDiFuser", "Map land cover with a model")
    SHORT = QT_TRANSLATE_NOOP(
        "SatDiFuser", "Gives every pixel of an image the land-cover class that a trained model sees."
    )
    HELP = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "Applies a model to an image that need not be the one it was trained on. The map is a Cloud Optimized GeoTIFF "
        "on the grid of the image, with the names and colours of the classes. Pixels without data stay without data. "
        "Make a model first with “Train a land-cover model”.",
    )
    TAGS = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "classification,classify,land use,land cover,LULC,supervised,deep "
        "learning,AI,segmentation,prediction,inference,"
        "map,satellite,aerial,diffusion",
    )

    INPUT, MODEL, BANDS, EXTENT, OVERLAP = "INPUT", "MODEL", "BANDS", "EXTENT", "OVERLAP"
    MIN_AREA, SIMPLIFY, DEVICE, BATCH = "MIN_AREA", "SIMPLIFY", "DEVICE", "BATCH"
    OUTPUT, POLYGONS, PROBABILITIES, ENTROPY = "OUTPUT", "POLYGONS", "PROBABILITIES", "ENTROPY"
    SECONDS, MEGAPIXELS_PER_SECOND, SEAMS, DEVICE_USED = "SECONDS", "MEGAPIXELS_PER_SECOND", "SEAMS", "DEVICE_USED"

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:
        self._add_inputs()
        self._add_advanced()
        self._add_outputs()

    def _add_inputs(self) -> None:
        self.add(
            RasterParameter(self.INPUT, translate("SatDiFuser", "Image")),
            translate(
                "SatDiFuser", "The image to map: a raster file. It may be of another place and date than the model's."
            ),
        )
        self.add(
            ModelParameter(self.MODEL, translate("SatDiFuser", "Model"), extension="safetensors"),
            translate(
                "SatDiFuser",
                "A model file (.safetensors), or just the name of a model: it is looked up among the models that come "
                "with the plugin, then among those that you have trained.",
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
                "Bands of the image in the order in which the model was trained. Empty: found by name. On a command "
                "line "
                "write 3,2,1.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterExtent(self.EXTENT, translate("SatDiFuser", "Extent"), optional=True),
            translate(
                "SatDiFuser",
                "The part to map; it grows outward to whole pixels. Empty: the whole image. The result is the same "
                "as in "
                "a map of the whole.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.OVERLAP, translate("SatDiFuser", "Overlap of tiles [%]"), integer, 25, minValue=0, maxValue=75
            ),
            translate("SatDiFuser", "How much neighbouring tiles share. More hides seams better and takes longer."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.MIN_AREA, translate("SatDiFuser", "Smallest polygon [m²]"), double, 0.0, minValue=0.0
            ),
            translate(
                "SatDiFuser",
                "Polygons below this area join a neighbour. In square metres, in pixels where the image has no CRS. "
                "Concerns the polygons only.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterDistance(
                self.SIMPLIFY, translate("SatDiFuser", "Simplify borders by"), 0.0, self.INPUT, minValue=0.0
            ),
            translate(
                "SatDiFuser",
                "Borders of polygons are smoothed by about this distance; neighbours keep their common border. 0: "
                "borders follow the pixels. Smoothing holds all polygons in memory, drawing along the pixels does not.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.DEVICE, translate("SatDiFuser", "Device"), choices.device()),
            choices.device_help(),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(self.BATCH, translate("SatDiFuser", "Tiles at once"), integer, 0, minValue=0),
            translate(
                "SatDiFuser", "How many tiles are computed together; changes the speed, not the map. 0: automatic."
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
                "The map as polygons without gaps and overlaps, with class, name, area and confidence.",
            ),
        )
        self.add(
            QgsProcessingParameterRasterDestination(
                self.PROBABILITIES, translate("SatDiFuser", "Probabilities"), optional=True, createByDefault=False
            ),
            translate("SatDiFuser", "How sure the model is of each class, 0 to 1, a band a class."),
        )
        self.add(
            QgsProcessingParameterRasterDestination(
                self.ENTROPY, translate("SatDiFuser", "Entropy"), optional=True, createByDefault=False
            ),
            translate(
                "SatDiFuser",
                "How undecided the model is: 0 where one class is certain, 1 where all are equally likely.",
            ),
        )
        self.addOutput(QgsProcessingOutputNumber(self.SECONDS, translate("SatDiFuser", "Seconds")))
        self.addOutput(
            QgsProcessingOutputNumber(self.MEGAPIXELS_PER_SECOND, translate("SatDiFuser", "Megapixels per second"))
        )
        self.addOutput(
            QgsProcessingOutputNumber(self.SEAMS, translate("SatDiFuser", "Seams of tiles (1: none to be seen)"))
        )
        self.addOutput(QgsProcessingOutputString(self.DEVICE_USED, translate("SatDiFuser", "Device used")))

    def request(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> SegmentRequest:
        image, path = self.image(parameters, self.INPUT, context)
        self._image = image.name
        model = find_model(self.parameterAsString(parameters, self.MODEL, context), self.MODEL)
        self.sources.files[self.MODEL] = [model]
        read_classes(model)
        return SegmentRequest(
            input=path,
            model=model,
            output=outputs[self.OUTPUT],
            bands=values.bands(parameters.get(self.BANDS), self.BANDS, image),
            extent=self._extent(parameters, context, image),
            overlap=self.parameterAsInt(parameters, self.OVERLAP, context),
            min_area=self.parameterAsDouble(parameters, self.MIN_AREA, context),
            simplify=self.parameterAsDouble(parameters, self.SIMPLIFY, context),
            device=self.parameterAsEnum(parameters, self.DEVICE, context),
            batch=self.parameterAsInt(parameters, self.BATCH, context),
            polygons=outputs[self.POLYGONS],
            probabilities=outputs[self.PROBABILITIES],
            entropy=outputs[self.ENTROPY],
            nodata=image.nodata,
        )

    def _extent(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, image: Image
    ) -> Optional[values.Extent]:
        if parameters.get(self.EXTENT) in (None, ""):
            return None
        given = self.parameterAsExtent(parameters, self.EXTENT, context, image.crs_in_file)
        return values.extent(given, self.EXTENT, image)

    def layer_names(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Dict[str, str]:
        image = self._image
        return {
            self.OUTPUT: translate("SatDiFuser", "{image} – land cover").format(image=image),
            self.POLYGONS: translate("SatDiFuser", "{image} – land cover polygons").format(image=image),
            self.PROBABILITIES: translate("SatDiFuser", "{image} – class probabilities").format(image=image),
            self.ENTROPY: translate("SatDiFuser", "{image} – entropy").format(image=image),
        }

    def looks(self) -> Dict[str, Look]:
        classes = read_classes(self.sources.files[self.MODEL][0])
        return {
            self.OUTPUT: ClassMap(classes),
            self.POLYGONS: ClassPolygons(classes),
            self.PROBABILITIES: Share(),
            self.ENTROPY: Share(),
        }
