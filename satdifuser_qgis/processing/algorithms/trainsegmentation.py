"""Toolbox entry "Train a land-cover model"."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingUtils,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from ...protocol.classes import StyledClass
from ...protocol.nodata import AS_DECLARED, NoData
from ...protocol.trainsegmentation import TrainSegmentationRequest
from ...styling.read import field_of_style, styles_of_field, styles_of_raster
from .. import choices, values
from ..base import EngineAlgorithm
from ..class_field import check_class_field
from ..containers import one_layer
from ..images import Image, check_picture, open_image
from ..models import find_backbone
from ..overlap import check_overlap
from ..parameters import RasterParameter, RastersParameter, only_with, or_else, zero_as
from ..sources import layer_reference
from ..unopened import check_drawn

translate = QCoreApplication.translate
# The choice of `choices.scaling` that takes a divisor.
DIVIDE = 3


class TrainSegmentation(EngineAlgorithm):
    """Images and labels in, a model file and a report out."""

    NAME, GROUP, ICON = "trainsegmentation", "landcover", "train"
    TITLE = QT_TRANSLATE_NOOP("SatDiFuser", "Train a land-cover model")
    SHORT = QT_TRANSLATE_NOOP("SatDiFuser", "Trains a model that maps land cover, from labels on one or more images.")
    HELP = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "Trains a model from labels: polygons, lines or points with a class in one of their fields, or class rasters. "
        "What is not labelled is ignored, so a few labels of each class, well spread, are enough. Part of the labelled "
        "area is set aside for validation, in spatial blocks, so that the scores are honest; the report shows them. "
        "Then use “Map land cover with a model” on this image or others.",
    )
    TAGS = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "classification,classify,land use,land cover,LULC,supervised,training,samples,deep learning,AI,"
        "machine learning,segmentation,satellite,aerial,diffusion",
    )

    INPUT, LABELS, CLASS_FIELD, LABEL_RASTERS = "INPUT", "LABELS", "CLASS_FIELD", "LABEL_RASTERS"
    MORE_INPUTS, BANDS, SCALING, DIVISOR, BACKBONE = "MORE_INPUTS", "BANDS", "SCALING", "DIVISOR", "BACKBONE"
    FUSION, HEAD, EXTRACTION, TIMESTEPS, SPECTRAL = "FUSION", "HEAD", "EXTRACTION", "TIMESTEPS", "SPECTRAL"
    EPOCHS, FINETUNE, VALIDATION, SEED, DEVICE = "EPOCHS", "FINETUNE", "VALIDATION", "SEED", "DEVICE"
    ENCODER, MODEL, REPORT = "ENCODER", "MODEL", "REPORT"

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:
        self._add_labels()
        self._add_images()
        self._add_training()
        self._add_method()
        self._add_outputs()

    def _add_labels(self) -> None:
        self.add(
            RasterParameter(self.INPUT, translate("SatDiFuser", "Image")),
            translate("SatDiFuser", "The training image: a raster file with red, green and blue bands."),
        )
        self.add(
            or_else(
                QgsProcessingParameterFeatureSource(
                    self.LABELS,
                    translate("SatDiFuser", "Labels"),
                    [QgsProcessing.SourceType.TypeVectorAnyGeometry],
                    optional=True,
                ),
                translate("SatDiFuser", "(or label rasters)"),
            ),
            translate(
                "SatDiFuser",
                "Polygons, lines or points where the class is known. Filter and selection are respected. "
                "Not needed where label rasters are given.",
            ),
        )
        self.add(
            or_else(
                QgsProcessingParameterField(
                    self.CLASS_FIELD,
                    translate("SatDiFuser", "Class field"),
                    parentLayerParameterName=self.LABELS,
                    optional=True,
                ),
                translate("SatDiFuser", "(of the labels)"),
            ),
            translate(
                "SatDiFuser",
                "The field of the labels that holds the class, as text or whole number. Names, colours and order are "
                "taken from a categorised style on this field. Empty: the field of the labels' categorised style.",
            ),
        )
        self.add(
            RastersParameter(
                self.LABEL_RASTERS,
                translate("SatDiFuser", "Label rasters"),
                QgsProcessing.SourceType.TypeRaster,
                optional=True,
            ),
            translate(
                "SatDiFuser",
                "Rasters of class codes. Each is used for every image that it covers. Not labelled are nodata, "
                '0 without a name, and what the legend calls "Unclassified", "No data" or "Masked".',
            ),
        )

    def _add_images(self) -> None:
        self.add(
            RastersParameter(
                self.MORE_INPUTS,
                translate("SatDiFuser", "More images"),
                QgsProcessing.SourceType.TypeRaster,
                optional=True,
            ),
            translate(
                "SatDiFuser",
                "Further training images; labels and label rasters serve them too. The same bands in the same order.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBand(
                self.BANDS,
                translate("SatDiFuser", "Bands (red, green, blue)"),
                parentLayerParameterName=self.INPUT,
                optional=True,
                allowMultiple=True,
            ),
            translate(
                "SatDiFuser",
                "Three bands in the order red, green, blue. Empty: found by band description, then by colour, then "
                "1, 2, 3. On a command line write 3,2,1.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.SCALING, translate("SatDiFuser", "Scaling of values"), choices.scaling()),
            translate(
                "SatDiFuser",
                "How pixel values are scaled for the network. Constants keep differences between images; percentiles "
                "even them out, which helps where images were stretched one by one. Automatic: with several images "
                "validation chooses between the two, with one image constants are taken.",
            ),
            advanced=True,
        )
        self.add(
            only_with(
                QgsProcessingParameterNumber(
                    self.DIVISOR,
                    translate("SatDiFuser", "Divisor"),
                    QgsProcessingParameterNumber.Type.Double,
                    10000.0,
                    minValue=0.0,
                ),
                self.SCALING,
                DIVIDE,
            ),
            translate("SatDiFuser", "The value that means full brightness; for the scaling “Divide by a number” only."),
            advanced=True,
            decimals=2,
        )

    def _add_training(self) -> None:
        integer, double = QgsProcessingParameterNumber.Type.Integer, QgsProcessingParameterNumber.Type.Double
        self.add(
            QgsProcessingParameterNumber(
                self.VALIDATION,
                translate("SatDiFuser", "Share for validation"),
                double,
                0.2,
                minValue=0.0,
                maxValue=0.9,
            ),
            translate(
                "SatDiFuser",
                "Share of the labelled area that is set aside to measure the model, in spatial blocks, so that "
                "neighbouring pixels do not flatter the scores. 0: none, and no scores; pixel values and features then "
                "weigh the same.",
            ),
            advanced=True,
            decimals=2,
        )
        self.add(
            QgsProcessingParameterBoolean(self.SPECTRAL, translate("SatDiFuser", "Use the pixel values too"), True),
            translate(
                "SatDiFuser",
                "Trains on the band values themselves beside the diffusion features: in the head, and in a classifier "
                "of single pixels and the 5 × 5 around them. Validation decides how much head and classifier weigh in "
                "the map; with few labels it is often the classifier alone.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.FINETUNE, translate("SatDiFuser", "Training of the backbone"), choices.finetune()),
            translate(
                "SatDiFuser",
                "Fine-tuned: after fusion and head, the backbone is trained together with them on your labels. This "
                "takes several times as long; the result is kept only where validation improves, and is stored in the "
                "model. For compact backbones, such as the embedded one.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.DEVICE, translate("SatDiFuser", "Device"), choices.device()),
            choices.device_help(),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(self.SEED, translate("SatDiFuser", "Seed"), integer, 0, minValue=0),
            translate("SatDiFuser", "Starting point of all random choices. The same seed gives the same model."),
            advanced=True,
        )
        self.add(
            zero_as(
                QgsProcessingParameterNumber(self.EPOCHS, translate("SatDiFuser", "Epochs"), integer, 0, minValue=0),
                translate("SatDiFuser", "Automatic"),
            ),
            translate(
                "SatDiFuser", "How many times training goes through the labels. 0: until validation no longer improves."
            ),
            advanced=True,
        )

    def _add_method(self) -> None:
        """What only those who know the method set, so it comes last."""
        self.add(
            choices.enum(self.ENCODER, translate("SatDiFuser", "Encoder"), choices.encoder()),
            translate(
                "SatDiFuser",
                "A network trained on photographs whose maps are read beside the diffusion features. What each counts "
                "for in the map is told by validation, see the report. Automatic: EfficientNet-Lite2, which the engine "
                "brings; it reads nothing where “Use the pixel values too” is off.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterFile(
                self.BACKBONE,
                translate("SatDiFuser", "Backbone"),
                QgsProcessingParameterFile.Behavior.Folder,
                optional=True,
            ),
            translate(
                "SatDiFuser",
                "The pretrained diffusion network that computes the features: a folder in the layout of diffusers, or "
                "the name of one that comes with the plugin. Empty: the embedded one.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.EXTRACTION, translate("SatDiFuser", "Extraction"), choices.extraction()),
            translate(
                "SatDiFuser",
                "How the image is brought to the noise level of each timestep before its features are read. Clean "
                "reads it once, without noise: the embedded backbone can, other folders in pixel space need a network "
                "for it, DiffusionSat's cannot. Automatic: the backbone's own choice.",
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString(self.TIMESTEPS, translate("SatDiFuser", "Timesteps"), optional=True),
            translate(
                "SatDiFuser",
                "Noise levels of the backbone at which features are read, 0 (no noise) to 999, like 1, 101, 201. "
                "Empty: the backbone's own choice.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.FUSION, translate("SatDiFuser", "Fusion"), choices.fusion()),
            translate(
                "SatDiFuser",
                "How features of several timesteps and layers are merged into one: with one weight each (global), with "
                "weights that change with the place (localized), or by experts between which a gate chooses (mixture). "
                "Automatic: global.",
            ),
            advanced=True,
        )
        self.add(
            choices.enum(self.HEAD, translate("SatDiFuser", "Head"), choices.head()),
            translate(
                "SatDiFuser",
                "The decoder head that turns fused features into classes. UPerNet is larger and needs more labels. "
                "Automatic: light.",
            ),
            advanced=True,
        )

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterFileDestination(
                self.MODEL, translate("SatDiFuser", "Model"), translate("SatDiFuser", "Model (*.safetensors)")
            ),
            translate(
                "SatDiFuser",
                "The model file. A copy is kept in your model store, from where “Map land cover with a model” offers "
                "it.",
            ),
        )
        self.add(
            QgsProcessingParameterFileDestination(
                self.REPORT,
                translate("SatDiFuser", "Report"),
                translate("SatDiFuser", "Report (*.html)"),
                optional=True,
                createByDefault=True,
            ),
            translate("SatDiFuser", "A page that shows how good the model is, class by class, and how it was made."),
        )
        for name, description in (
            ("MIOU", translate("SatDiFuser", "Mean intersection over union")),
            ("MACRO_F1", translate("SatDiFuser", "Mean F1")),
            ("OVERALL_ACCURACY", translate("SatDiFuser", "Overall accuracy")),
            ("CLASS_COUNT", translate("SatDiFuser", "Number of classes")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, description))
        self.addOutput(QgsProcessingOutputString("MODEL_NAME", translate("SatDiFuser", "Name of the model")))
        self.addOutput(QgsProcessingOutputString("DEVICE_USED", translate("SatDiFuser", "Device used")))

    def request(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> TrainSegmentationRequest:
        image, path = self.image(parameters, self.INPUT, context)
        more, more_paths = self._raster_list(parameters, self.MORE_INPUTS, context)
        rasters, raster_paths = self._raster_list(parameters, self.LABEL_RASTERS, context)
        for each in more:
            check_picture(each, self.label(self.MORE_INPUTS))
        self._check_own_labels((path, *more_paths), raster_paths)
        layer, labels, field = self._labels(parameters, context, [image, *more])
        self._check_any_labels(labels, raster_paths)
        scaling = self.parameterAsEnum(parameters, self.SCALING, context)
        return TrainSegmentationRequest(
            input=path,
            model=outputs[self.MODEL],
            labels=labels[0] if labels else "",
            label_copies=labels[1:],
            class_field=field,
            label_rasters=raster_paths,
            more_inputs=more_paths,
            bands=values.bands(parameters.get(self.BANDS), self.label(self.BANDS), image),
            scaling=scaling,
            divisor=self.parameterAsDouble(parameters, self.DIVISOR, context) if scaling == DIVIDE else 0.0,
            backbone=find_backbone(
                self.parameterAsString(parameters, self.BACKBONE, context), self.label(self.BACKBONE)
            ),
            fusion=self.parameterAsEnum(parameters, self.FUSION, context),
            head=self.parameterAsEnum(parameters, self.HEAD, context),
            extraction=self.parameterAsEnum(parameters, self.EXTRACTION, context),
            timesteps=values.whole_numbers(parameters.get(self.TIMESTEPS), self.label(self.TIMESTEPS)),
            spectral=self.parameterAsBool(parameters, self.SPECTRAL, context),
            epochs=self.parameterAsInt(parameters, self.EPOCHS, context),
            finetune=self.parameterAsEnum(parameters, self.FINETUNE, context),
            validation=self.parameterAsDouble(parameters, self.VALIDATION, context),
            seed=self.parameterAsInt(parameters, self.SEED, context),
            device=self.parameterAsEnum(parameters, self.DEVICE, context),
            name=_model_name(outputs[self.MODEL], image.name),
            styles=styles_of_field(layer, field),
            raster_styles=_raster_styles(rasters),
            report=outputs[self.REPORT],
            nodata=_nodata([image, *more]),
            label_nodata=_nodata(rasters),
            encoder=self.parameterAsEnum(parameters, self.ENCODER, context),
        )

    def _labels(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, images: List[Image]
    ) -> Tuple[Optional[QgsVectorLayer], Tuple[str, ...], str]:
        """The vector labels as layer, sources and class field; (None, (), "") where there are none."""
        value = parameters.get(self.LABELS)
        if layer_reference(value) in (None, ""):
            return None, (), ""
        field = self.parameterAsString(parameters, self.CLASS_FIELD, context)
        value = one_layer(value, self.label(self.LABELS), field, context, self.sources.warnings)
        parameters, reference = {**parameters, self.LABELS: value}, layer_reference(value)
        layer = self.parameterAsVectorLayer({**parameters, self.LABELS: reference}, self.LABELS, context)
        project = context.project()
        of_project = layer is not None and project is not None and project.mapLayer(layer.id()) is not None
        if layer is not None and isinstance(reference, str) and not of_project:
            # Of a path QGIS opens a layer without the style that was saved for it.
            layer.loadDefaultStyle()
        if layer is not None:
            check_drawn(layer, self.label(self.LABELS))
            field = field or self._field_of_style(layer)
            # The key that QGIS shows for a GeoPackage is no field of the file.
            keys = layer.primaryKeyAttributes() if layer.providerType() == "ogr" else []
            fields = [name for index, name in enumerate(layer.fields().names()) if index not in keys]
            values.check_field(field, self.label(self.CLASS_FIELD), layer.name(), fields)
        source = self.parameterAsSource(parameters, self.LABELS, context)
        check_class_field(source, field, self.label(self.CLASS_FIELD))
        crss = [image.crs_in_file for image in images]
        labels = self.sources.vector(layer, source, self.label(self.LABELS), value, field, crss, context)
        check_overlap(layer, self.label(self.LABELS), images, context)
        return layer, labels, field

    def _field_of_style(self, layer: QgsVectorLayer) -> str:
        field = field_of_style(layer)
        if field:
            note = translate("SatDiFuser", '{name}: "{field}", by which "{layer}" is drawn.')
            self.sources.notes.append(note.format(name=self.label(self.CLASS_FIELD), field=field, layer=layer.name()))
        return field

    def _raster_list(
        self, parameters: Dict[str, Any], name: str, context: QgsProcessingContext
    ) -> Tuple[List[Image], Tuple[str, ...]]:
        """The rasters of a list parameter and their paths. An item that cannot be opened is refused, not dropped."""
        items = values.items_of(parameters.get(name))
        images = [open_image(item, context) for item in items]
        paths = tuple(self.sources.raster(image, self.label(name), item) for image, item in zip(images, items))
        return [image for image in images if image is not None], paths

    def _check_own_labels(self, images: Tuple[str, ...], label_rasters: Tuple[str, ...]) -> None:
        for path in label_rasters:
            if path in images:
                raise ValueError(
                    translate(
                        "SatDiFuser",
                        "{name}: {path} is a training image and cannot be its own labels. "
                        "Choose a raster of class codes.",
                    ).format(name=self.label(self.LABEL_RASTERS), path=path)
                )

    def _check_any_labels(self, labels: Tuple[str, ...], label_rasters: Tuple[str, ...]) -> None:
        if not labels and not label_rasters:
            raise ValueError(
                translate(
                    "SatDiFuser",
                    "There are no labels. Choose a vector layer under “{labels}” and the field with its classes under "
                    "“{field}”, or rasters of class codes under “{rasters}”.",
                ).format(
                    labels=self.label(self.LABELS),
                    field=self.label(self.CLASS_FIELD),
                    rasters=self.label(self.LABEL_RASTERS),
                )
            )


def _model_name(target: str, image: str) -> str:
    """The name in the model: that of the image where its file is temporary, else "", which is that of the file."""
    return image if Path(QgsProcessingUtils.tempFolder()) in Path(target).parents else ""


def _nodata(images: List[Image]) -> Tuple[NoData, ...]:
    """Of each image or label raster; () where none has any of its own."""
    found = tuple(image.nodata for image in images)
    return found if any(each != AS_DECLARED for each in found) else ()


def _raster_styles(rasters: List[Image]) -> Tuple[Tuple[StyledClass, ...], ...]:
    """Of each label raster; () where none has a style."""
    styles = tuple(styles_of_raster(raster.styled()) for raster in rasters)
    return styles if any(styles) else ()
