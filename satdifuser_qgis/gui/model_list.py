"""A list of the land-cover models there are, with what each is for; any other model file by Browse or free text."""

from __future__ import annotations

import os
from typing import List, Optional

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, Qt, QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices, QStandardItem, QStandardItemModel
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from ..processing.models import ModelCard, land_cover_card, land_cover_models
from ..protocol import folders

translate = QCoreApplication.translate
PATH = Qt.ItemDataRole.UserRole
# QGIS's own file widgets of Processing remember the folder under this name.
LAST_FOLDER = "Processing/LastInputPath"
MOST_NAMED = 4
GAP_PX = 12


class ModelList(QWidget):
    """An editable list with a table as its popup, newest model first; below it what the chosen model is for.

    A model of the list has its path as value, all else is taken as it was written. ``small``: without that text and
    without the button to the model store, for a cell of a table, and with nothing chosen yet.
    """

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None, small: bool = False) -> None:
        super().__init__(parent)
        self.models = _Models(self)
        self.about = QLabel(self)
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        row = QHBoxLayout()
        row.addWidget(self.models, 1)
        row.addWidget(self._button("…", translate("SatDiFuser", "Choose a model file"), self.browse))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        self.models.editTextChanged.connect(self._tell)
        self.models.refill()
        if small:
            self.about.hide()
            self.models.setCurrentIndex(-1)
        else:
            store = self._button("", translate("SatDiFuser", "Open the model store"), open_model_store)
            store.setIcon(QgsApplication.getThemeIcon("/mActionFileOpen.svg"))
            row.addWidget(store)
            layout.addWidget(self.about)
        self._tell()

    def value(self) -> str:
        """The path of the chosen model, or what was written; "" for nothing."""
        text = self.models.currentText()
        index = self.models.currentIndex()
        if index >= 0 and self.models.itemText(index) == text:
            return str(self.models.itemData(index, PATH))
        # A file that is dropped here is an address, a path that Windows has copied is in quotes.
        text = text.strip().strip('"')
        return QUrl(text).toLocalFile() if text.startswith("file:") else text

    def set_value(self, value: str) -> None:
        """Chooses the model of that path in the list; writes down what is not in it, such as a name."""
        index = self.models.findData(value, PATH) if value else -1
        self.models.setCurrentIndex(index)
        if index < 0:
            self.models.setEditText(value)

    def browse(self) -> None:
        """Lets the user choose a file, beginning where the last one was."""
        known = os.path.dirname(self.value())
        begin = known if os.path.isdir(known) else str(QgsSettings().value(LAST_FOLDER, "") or "")
        kind = translate("SatDiFuser", "Model (*.safetensors)")
        path, _filter = QFileDialog.getOpenFileName(self, translate("SatDiFuser", "Choose a model file"), begin, kind)
        if path:
            QgsSettings().setValue(LAST_FOLDER, os.path.dirname(path))
            self.set_value(path)

    def _button(self, text: str, tip: str, clicked: object) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(tip)
        button.clicked.connect(clicked)
        return button

    def _tell(self) -> None:
        self.about.setText(_about(self.value()))
        self.changed.emit()


class _Models(QComboBox):
    """The list itself. It is read anew each time that it is opened: a training may just have ended."""

    def __init__(self, owner: ModelList) -> None:
        super().__init__(owner)
        self.owner = owner
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        table = QTreeView(self)
        table.setRootIsDecorated(False)
        table.setAllColumnsShowFocus(True)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setView(table)

    def showPopup(self) -> None:  # noqa: N802 (Qt name)
        written = self.owner.value()
        self.refill()
        self.owner.set_value(written)
        table = self.view()
        for column in range(self.model().columnCount()):
            table.resizeColumnToContents(column)
            table.setColumnWidth(column, table.columnWidth(column) + GAP_PX)
        wide = table.header().length() + table.verticalScrollBar().sizeHint().width() + 8
        table.setMinimumWidth(min(wide, self.screen().availableGeometry().width()))
        super().showPopup()

    def refill(self) -> None:
        """Reads the models that there are now; the first is chosen."""
        cards = land_cover_models()
        rows = QStandardItemModel(0, len(_headings()), self)
        rows.setHorizontalHeaderLabels(_headings())
        for card in cards:
            rows.appendRow(_row(card))
        self.setModel(rows)
        self.lineEdit().setPlaceholderText(
            translate("SatDiFuser", "Choose a model")
            if cards
            else translate("SatDiFuser", "No model yet: train one, or choose a file")
        )


def open_model_store() -> None:
    """Shows the folder of the trained models in the file browser; makes it first."""
    folders.model_store().mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folders.model_store())))


def _headings() -> List[str]:
    return [
        translate("SatDiFuser", "Model"),
        translate("SatDiFuser", "Classes"),
        translate("SatDiFuser", "Bands"),
        translate("SatDiFuser", "Pixel size"),
        translate("SatDiFuser", "Mean IoU"),
        translate("SatDiFuser", "Date"),
    ]


def _row(card: ModelCard) -> List[QStandardItem]:
    items = [QStandardItem(text) for text in _texts(card)]
    items[0].setData(card.path, PATH)
    for item in items:
        item.setToolTip(card.path)
    return items


def _about(value: str) -> str:
    """What the model that is named so is for, or why it cannot be taken; "" where there is none (yet)."""
    path = folders.find_model(value) if value else None
    if path is None:
        return ""
    try:
        card = land_cover_card(str(path), translate("SatDiFuser", "Model"))
    except ValueError as error:
        return str(error)
    pairs = list(zip(_headings(), _texts(card)))[1:]
    # Not broken before the dots.
    return "\N{NO-BREAK SPACE}· ".join(f"{heading}: {text}" for heading, text in pairs)


def _texts(card: ModelCard) -> List[str]:
    """A card in words, in the order of `_headings`."""
    names = [item.name for item in card.classes]
    return [
        card.name,
        f"{len(names)} ({', '.join(names[:MOST_NAMED])}{', …' if len(names) > MOST_NAMED else ''})",
        ", ".join(card.bands),
        _length(card.gsd_m) if card.gsd_m else translate("SatDiFuser", "unknown"),
        translate("SatDiFuser", "not measured") if card.miou is None else f"{card.miou:.2f}",
        f"{card.changed:%Y-%m-%d %H:%M}",
    ]


def _length(metres: float) -> str:
    return f"{metres / 1000:.3g} km" if metres >= 1000 else f"{metres:.3g} m"
