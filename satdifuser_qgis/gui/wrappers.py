"""How QGIS's dialogs show parameters that have a face of their own, see `processing.parameters.shown_by`.

QGIS calls these as classes, with parameter and dialog, and takes what comes back. In the Model Designer, where a value
may also come from another algorithm, its own widgets stay; that of a model completes names.
"""

from __future__ import annotations

from typing import Any, Callable, List

from processing.gui.wrappers import WidgetWrapper, dialogTypes
from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingUtils,
    QgsProject,
)
from qgis.gui import QgsFileWidget, QgsGui, QgsProcessingGui
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtWidgets import QAbstractSpinBox, QCompleter, QLabel, QWidget

from ..processing.models import land_cover_models
from ..styling.in_project import OUTPUT
from .model_list import ModelList

translate = QCoreApplication.translate


class ModelWrapper:
    """A model file as a list of the models there are."""

    def __new__(cls, parameter: QgsProcessingParameterDefinition, dialog: QWidget, *cell: int) -> Any:
        if _kind(dialog) != QgsProcessingGui.WidgetType.Modeler:
            return _ListWrapper(parameter, dialog, *cell)
        wrapper = _own(parameter, dialog)
        for file in wrapper.findChildren(QgsFileWidget):
            _complete_names(file)
        return wrapper


class AlternativeWrapper:
    """A parameter that may be left empty for a reason, which its label gives instead of "[optional]".

    The only layer that labels could be is chosen at once: QGIS leaves what is optional empty.
    """

    def __new__(
        cls, parameter: QgsProcessingParameterDefinition, dialog: QWidget, *_cell: int, alternative: str = ""
    ) -> Any:
        wrapper = _own(parameter, dialog)
        if _kind(dialog) == QgsProcessingGui.WidgetType.Standard:
            make = wrapper.createWrappedLabel

            def labelled() -> QLabel:
                label = make()
                label.setText(f"{parameter.description()} {alternative}")
                return label

            wrapper.createWrappedLabel = labelled
            if isinstance(parameter, QgsProcessingParameterFeatureSource):
                _after(wrapper, "createWrappedWidget", lambda _widget, context: _choose_only(wrapper, context))
        return wrapper


class NumberWrapper:
    """A number whose 0 stands as the word ``zero``, or that is grey unless ``other`` has the value ``choice``."""

    def __new__(
        cls,
        parameter: QgsProcessingParameterDefinition,
        dialog: QWidget,
        *_cell: int,
        zero: str = "",
        other: str = "",
        choice: int = 0,
        **_shown: Any,
    ) -> Any:
        wrapper = _own(parameter, dialog)
        if _kind(dialog) != QgsProcessingGui.WidgetType.Standard:
            return wrapper
        if zero:
            _after(wrapper, "createWrappedWidget", lambda widget, _context: _name_zero(widget, zero))
        if other:
            _after(wrapper, "postInitialize", lambda _, wrappers: _follow(wrapper, other, choice, wrappers))
        return wrapper


class _ListWrapper(WidgetWrapper):
    """`ModelList` as the value of a parameter."""

    def __init__(self, parameter: QgsProcessingParameterDefinition, dialog: QWidget, *cell: int) -> None:
        super().__init__(parameter, dialog, *cell)
        # The base keeps it, so that each would keep the other alive after its window is gone.
        self.dialog = None

    def createWidget(self) -> QWidget:  # noqa: N802 (QGIS name)
        made = ModelList(small=self.dialogType == QgsProcessingGui.WidgetType.Batch)
        made.changed.connect(lambda: self.widgetValueHasChanged.emit(self))
        return made

    def setValue(self, value: Any) -> None:  # noqa: N802 (QGIS name)
        self.widget.set_value(str(value or ""))

    def value(self) -> str:
        return self.widget.value()


def _after(wrapper: Any, method: str, then: Callable[[Any, Any], None]) -> None:
    """Does more when QGIS, whose dialogs are written in Python, has called a method of one argument."""
    original = getattr(wrapper, method)

    def called(argument: Any) -> Any:
        answer = original(argument)
        then(answer, argument)
        return answer

    setattr(wrapper, method, called)


def _choose_only(wrapper: Any, context: QgsProcessingContext) -> None:
    kinds = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
    layers = QgsProcessingUtils.compatibleVectorLayers(QgsProject.instance(), kinds)
    own = [layer for layer in layers if not layer.customProperty(OUTPUT)]
    if len(own) == 1:
        wrapper.setParameterValue(own[0].id(), context)


def _name_zero(widget: QWidget, zero: str) -> None:
    for spin in (widget, *widget.findChildren(QAbstractSpinBox)):
        if isinstance(spin, QAbstractSpinBox):
            spin.setSpecialValueText(zero)


def _follow(wrapper: Any, other: str, choice: int, wrappers: List[Any]) -> None:
    leader = next(each for each in wrappers if each.parameterDefinition().name() == other)

    def follow(*_changed: Any) -> None:
        wrapper.wrappedWidget().setEnabled(leader.parameterValue() == choice)

    leader.widgetValueHasChanged.connect(follow)
    follow()


def _complete_names(file: QgsFileWidget) -> None:
    """Offers the names of models while one is written."""
    completer = QCompleter([card.name for card in land_cover_models()], file)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchContains)
    file.lineEdit().setCompleter(completer)
    file.lineEdit().setPlaceholderText(translate("SatDiFuser", "Name of a model, or a file"))


def _kind(dialog: QWidget) -> QgsProcessingGui.WidgetType:
    return dialogTypes.get(type(dialog).__name__, QgsProcessingGui.WidgetType.Standard)


def _own(parameter: QgsProcessingParameterDefinition, dialog: QWidget) -> Any:
    """QGIS's own wrapper of a parameter of this kind."""
    registry = QgsGui.processingGuiRegistry()
    if _kind(dialog) == QgsProcessingGui.WidgetType.Modeler:
        return registry.createModelerParameterWidget(dialog.model, dialog.childId, parameter, dialog.context)
    wrapper = registry.createParameterWidgetWrapper(parameter, _kind(dialog))
    wrapper.setDialog(dialog)
    return wrapper
