"""How QGIS's dialogs show parameters that have a face of their own, see `processing.parameters.shown_by`.

QGIS calls these as classes, with parameter and dialog, and takes what comes back. In the Model Designer, where a value
may also come from another algorithm, its own widgets stay; that of a model completes names.
"""

from __future__ import annotations

from typing import Any

from processing.gui.wrappers import WidgetWrapper, dialogTypes
from qgis.core import QgsProcessingParameterDefinition
from qgis.gui import QgsFileWidget, QgsGui, QgsProcessingGui
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtWidgets import QCompleter, QLabel, QWidget

from ..processing.models import land_cover_models
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
    """A parameter that may be left empty because another one does: its label says so instead of "[optional]"."""

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
