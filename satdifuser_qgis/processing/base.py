"""The whole life of an algorithm that the engine runs: check, prepare, run, dress the outputs.

A subclass says what the Toolbox shows (names, parameters, help) and makes a request of the parameters. It never
sees a process.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, TypeVar, cast

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
    QgsProject,
    QgsProperty,
)
from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from qgis.PyQt.QtGui import QIcon

from ..protocol.errors import EngineError, FieldError
from ..runtime.environment.locate import Engine, locate
from ..runtime.process import RunResult, run
from ..styling.in_project import LayersOfRun, LookInProject
from ..styling.looks import Look
from . import about
from .engine_state import missing, named_python
from .images import Image, check_picture, open_image
from .sources import Sources
from .targets import check_plain, check_targets
from .unknown_parameters import refusal

translate = QCoreApplication.translate
Value = TypeVar("Value")

# Ids are public and never change.
GROUPS = {
    "landcover": QT_TRANSLATE_NOOP("SatDiFuser", "Land cover"),
    "features": QT_TRANSLATE_NOOP("SatDiFuser", "Features"),
    "sampling": QT_TRANSLATE_NOOP("SatDiFuser", "Sampling"),
    "setup": QT_TRANSLATE_NOOP("SatDiFuser", "Set-up"),
}

# QGIS keeps a bare pointer to a layer post-processor: without a reference here Python deletes it before its turn.
_LIVING: Dict[str, LookInProject] = {}


class EngineAlgorithm(QgsProcessingAlgorithm):
    """Base of every entry of the Toolbox."""

    NAME = ""
    GROUP = "landcover"
    ICON = "satdifuser"
    TITLE = ""
    SHORT = ""
    HELP = ""
    # Words that people search, in the user's language; English is added.
    TAGS = ""
    NEEDS_ENGINE = True

    def __init__(self) -> None:
        super().__init__()
        self.sources = Sources()
        self.engine: Optional[Engine] = None
        self.engine_problem = ""
        self._request: Any = None
        self._layer_names: Dict[str, str] = {}
        # Paths as they were given, under which QGIS loads layers at the end.
        self._given: Dict[str, str] = {}
        self._to_load: Dict[str, QgsProcessingContext.LayerDetails] = {}
        self._results: Dict[str, Any] = {}

    # What a subclass says

    def request(self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]) -> Any:
        """The request of the protocol. ``outputs`` has a path ("" while checking) for every destination.

        Raises ValueError that names the parameter, its value and the way out.
        """
        raise NotImplementedError

    def layer_names(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Dict[str, str]:
        """Names of layers in the project, by output."""
        return {}

    def looks(self) -> Dict[str, Look]:
        """Styles by output, in the order that their layers have in the project, topmost first. May raise ValueError."""
        return {}

    # What QGIS asks

    def createInstance(self) -> EngineAlgorithm:
        return type(self)()

    def name(self) -> str:
        return self.NAME

    def displayName(self) -> str:
        return translate("SatDiFuser", self.TITLE)

    def group(self) -> str:
        return translate("SatDiFuser", GROUPS[self.GROUP])

    def groupId(self) -> str:
        return self.GROUP

    def icon(self) -> QIcon:
        return about.icon(self.ICON)

    def svgIconPath(self) -> str:
        return about.icon_path(self.ICON)

    def shortDescription(self) -> str:
        return translate("SatDiFuser", self.SHORT)

    def tags(self) -> List[str]:
        words = [*self.TAGS.split(","), *translate("SatDiFuser", self.TAGS).split(",")]
        return list(dict.fromkeys(word.strip() for word in words))

    def helpUrl(self) -> str:
        return about.guide_url(self.TITLE)

    def shortHelpString(self) -> str:
        parts = [f"<p>{translate('SatDiFuser', self.HELP)}</p>"]
        for definition in self.parameterDefinitions():
            parts.append(f"<h3>{definition.description()}</h3><p>{definition.help()}</p>")
        return "<html><body>" + "\n".join(parts) + "</body></html>"

    def add(
        self,
        parameter: QgsProcessingParameterDefinition,
        help_text: str,
        advanced: bool = False,
        decimals: Optional[int] = None,
    ) -> None:
        """Adds a parameter with its help; rarely used ones fold away under "Advanced".

        ``decimals`` are those that a dialog shows of a number, where QGIS's six are more than anybody means.
        """
        parameter.setHelp(help_text)
        if decimals is not None:
            shown = parameter.metadata().get("widget_wrapper", {})
            parameter.setMetadata({"widget_wrapper": {**shown, "decimals": decimals}})
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self.addParameter(parameter)

    def label(self, name: str) -> str:
        """What dialogs call a parameter: messages name it so. A name that is no parameter's comes back as it is."""
        definition = self.parameterDefinition(name)
        return definition.description() if definition is not None else name

    # The life of a run

    def checkParameterValues(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Tuple[bool, str]:
        problem = refusal(parameters, (definition.name() for definition in self.parameterDefinitions()))
        if problem:
            return False, problem
        try:
            # First, since QGIS's own check says no more than "Incorrect parameter value for X".
            self._make_request(parameters, context, dict.fromkeys(self._destinations(), ""))
            self._check_acceptable(parameters, context)
            fine, problem = super().checkParameterValues(parameters, context)
            if not fine:
                return fine, problem
            self._check_targets(self._targets(parameters, _without_loading(context)), context)
        except ValueError as error:
            return False, str(error)
        problem = missing() if self.NEEDS_ENGINE else None
        return problem is None, problem or ""

    def validateInputCrs(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> bool:
        # Labels in another CRS are transformed (`sources`); and QGIS's own check opens rasters as layers (`images`).
        return True

    def prepareAlgorithm(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        self.engine = self._located()
        try:
            targets = self._targets(parameters, context)
            self._put_off_loading(context)
            self._request = self._make_request(parameters, context, targets)
            self._check_targets(targets, context)
            for note in self.sources.notes:
                feedback.pushInfo(note)
            for warning in self.sources.warnings:
                feedback.pushWarning(warning)
            self.sources.export(feedback)
        except ValueError as error:
            raise QgsProcessingException(str(error)) from error
        self._layer_names = self.layer_names(parameters, context)
        return True

    def processAlgorithm(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        self._results = self.run_engine(feedback)
        context.setLayersToLoadOnCompletion({**context.layersToLoadOnCompletion(), **self._to_load})
        return self._results

    def run_engine(self, feedback: QgsProcessingFeedback) -> Dict[str, Any]:
        """Outputs and figures of the engine by the names that the algorithm declares."""
        answer = self.ask_engine(feedback)
        found = {name.upper(): value for part in (answer.outputs, answer.values) for name, value in part.items()}
        declared = {definition.name() for definition in self.outputDefinitions()}
        return {name: value for name, value in found.items() if name in declared}

    def ask_engine(self, feedback: QgsProcessingFeedback) -> RunResult:
        """Runs the request. A failure is a QgsProcessingException: `return {}` would count as success."""
        # Loading Python and torch takes seconds in which the engine is silent.
        feedback.pushInfo(translate("SatDiFuser", "Starting the engine"))
        try:
            return run(self._request, feedback, self.engine)
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> Dict[str, Any]:
        try:
            looks = self.looks()
        except ValueError as error:
            feedback.pushWarning(str(error))
            looks = {}
        layers = LayersOfRun()
        for name, path in self._results.items():
            if name in looks:
                problem = looks[name].save(path)
                if problem:
                    feedback.pushWarning(
                        translate("SatDiFuser", "The style was not saved: {problem}").format(problem=problem)
                    )
            if name in self._given and context.willLoadLayerOnCompletion(self._given[name]):
                dressing = layers.dressing(looks[name], list(looks).index(name)) if name in looks else None
                self._dress_in_project(name, dressing, context)
        return {}

    def _dress_in_project(self, name: str, look: Optional[LookInProject], context: QgsProcessingContext) -> None:
        path = self._given[name]
        details = context.layerToLoadOnCompletionDetails(path)
        # A name that the caller chose stays; without force QGIS takes the file's name where the file is to stay.
        if name in self._layer_names and details.name == self.parameterDefinition(name).description():
            details.name = self._layer_names[name]
            details.forceName = True
        if look is not None:
            _LIVING[path] = look
            details.setPostProcessor(look)

    # Steps

    def _check_acceptable(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> None:
        """What `request` does not see, such as a choice that is not there, of which QGIS takes the default."""
        for definition in self.parameterDefinitions():
            value = parameters.get(definition.name())
            if not definition.checkValueIsAcceptable(value, context):
                told = translate("SatDiFuser", "{name}: {value} cannot be used. Choose another value.")
                if value in (None, ""):
                    told = translate("SatDiFuser", "{name} is empty. Choose a value.")
                raise ValueError(told.format(name=definition.description(), value=value))

    def _located(self) -> Optional[Engine]:
        try:
            return locate(named_python())
        except EngineError as error:
            if self.NEEDS_ENGINE:
                raise QgsProcessingException(missing() or str(error)) from error
            self.engine_problem = missing() or str(error)
            return None

    def _make_request(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> Any:
        self.sources = Sources()
        try:
            return self.request(parameters, context, outputs)
        except FieldError as error:
            raise ValueError(error.named(self.label)) from error

    def _destinations(self) -> Dict[str, QgsProcessingParameterDefinition]:
        return {definition.name(): definition for definition in self.destinationParameterDefinitions()}

    def _targets(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Dict[str, str]:
        return {
            name: self._target(definition, parameters, context) for name, definition in self._destinations().items()
        }

    def _target(
        self, definition: QgsProcessingParameterDefinition, parameters: Dict[str, Any], context: QgsProcessingContext
    ) -> str:
        optional = bool(definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional)
        if optional and _is_nothing(parameters.get(definition.name())):
            return ""
        if isinstance(definition, QgsProcessingParameterFileDestination):
            path = self.parameterAsFileOutput(parameters, definition.name(), context)
        else:
            path = self._given[definition.name()] = self.parameterAsOutputLayer(parameters, definition.name(), context)
        check_plain(definition.description(), path)
        # The engine runs in a folder of its own.
        return os.path.abspath(path) if path else ""

    def _check_targets(self, targets: Mapping[str, str], context: QgsProcessingContext) -> None:
        project = context.project() or QgsProject.instance()
        check_targets(self._labelled(targets), self._labelled(self._endings()), self.sources.files, project)

    def _labelled(self, values: Mapping[str, Value]) -> Dict[str, Value]:
        return {self.label(name): value for name, value in values.items()}

    def _endings(self) -> Dict[str, List[str]]:
        """File name endings by output. QGIS's own check lets every ending through."""
        return {name: [f".{item}" for item in _extensions(each)] for name, each in self._destinations().items()}

    def _put_off_loading(self, context: QgsProcessingContext) -> None:
        """Keeps what `prepareAlgorithm` registered to be loaded until the engine has made it.

        A background task has a context of its own, whose list replaces this one at the end; and after a failure QGIS
        would try to load what is still registered here.
        """
        planned = context.layersToLoadOnCompletion()
        self._to_load = {path: planned.pop(path) for path in self._given.values() if path in planned}
        context.setLayersToLoadOnCompletion(planned)

    def image(self, parameters: Dict[str, Any], name: str, context: QgsProcessingContext) -> Tuple[Image, str]:
        """A raster parameter, and its path for the engine. Raises ValueError where it has no path."""
        image = open_image(parameters.get(name), context)
        path = self.sources.raster(image, self.label(name), parameters.get(name))
        check_picture(cast(Image, image), self.label(name))
        return cast(Image, image), path


def _is_nothing(value: Any) -> bool:
    """Whether an output is not wanted; the batch dialog of 3.22 says so by a destination without a sink."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue() if value.sink.propertyType() == QgsProperty.Type.StaticProperty else value
    return value in (None, "")


def _without_loading(context: QgsProcessingContext) -> QgsProcessingContext:
    """A context like that one, in which layers that are to be loaded are noted in vain."""
    made = QgsProcessingContext()
    made.setProject(context.project())
    made.setExpressionContext(context.expressionContext())
    return made


def _extensions(definition: QgsProcessingParameterDefinition) -> List[str]:
    if isinstance(definition, QgsProcessingParameterRasterDestination):
        return list(definition.supportedOutputRasterLayerExtensions())
    if isinstance(definition, QgsProcessingParameterVectorDestination):
        return list(definition.supportedOutputVectorLayerExtensions())
    # A file filter reads "Model (*.safetensors)".
    return re.findall(r"\*\.(\w+)", definition.fileFilter())
