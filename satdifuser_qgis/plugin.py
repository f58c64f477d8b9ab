"""The plugin: registers provider, options page, menu entry and translation, and undoes all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QLocale, QTranslator

from .processing import engine_state
from .processing.provider import SatDiFuserProvider

translate = QCoreApplication.translate
MENU = "SatDiFuser"


class SatDiFuserPlugin:
    """What QGIS loads. ``iface`` is None under ``qgis_process``, which calls `initProcessing` only."""

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: Optional[SatDiFuserProvider] = None
        self.options: Any = None
        self.action: Any = None
        self.guide: Any = None
        self.translator = _translator()

    def initProcessing(self) -> None:  # noqa: N802 (QGIS name)
        """Adds the provider. Cheap: nothing of the engine is imported or started."""
        self.provider = SatDiFuserProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802 (QGIS name)
        """Adds what needs a window."""
        from qgis.PyQt.QtWidgets import QAction

        from .gui import messages
        from .gui.options import OptionsFactory, open_guide

        self.initProcessing()
        self.options = OptionsFactory()
        self.iface.registerOptionsWidgetFactory(self.options)
        self.action = QAction(self.options.icon(), "", self.iface.mainWindow())
        self.action.triggered.connect(self._install_or_open)
        self.guide = QAction(translate("SatDiFuser", "Guide"), self.iface.mainWindow())
        self.guide.triggered.connect(open_guide)
        self._show_engine()
        engine_state.watch.changed.connect(self._show_engine)
        for action in (self.action, self.guide):
            self.iface.addPluginToMenu(MENU, action)
        if not engine_state.is_there():
            messages.offer(self._install)

    def unload(self) -> None:
        """Takes away everything that was added; an installation at work is cancelled."""
        for action in filter(None, (self.action, self.guide)):
            self.iface.removePluginMenu(MENU, action)
            action.deleteLater()
        self.action = self.guide = None
        if self.options is not None:
            from .gui import messages, setup

            engine_state.watch.changed.disconnect(self._show_engine)
            setup.stop()
            messages.clear()
            self.iface.unregisterOptionsWidgetFactory(self.options)
            self.options = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        if self.translator is not None:
            QCoreApplication.removeTranslator(self.translator)
            self.translator = None

    def _show_engine(self) -> None:
        """The menu entry says what it is for."""
        there = engine_state.is_there()
        settings = translate("SatDiFuser", "Engine settings…")
        self.action.setText(settings if there else translate("SatDiFuser", "Install the engine…"))

    def _install_or_open(self) -> None:
        """Does what the menu entry says."""
        if engine_state.is_there():
            self._open_options()
        else:
            self._install()

    def _install(self) -> None:
        """Starts the installation; the options show how it goes on, and can cancel it."""
        from .gui import setup

        setup.install()
        self._open_options()

    def _open_options(self) -> None:
        from .gui.options import PAGE

        self.iface.showOptionsDialog(self.iface.mainWindow(), currentPage=PAGE)


def _translator() -> Optional[QTranslator]:
    """The translator of the user's language, installed; None where there is none (English)."""
    language = str(QgsSettings().value("locale/userLocale", "") or QLocale.system().name())[:2]
    package = Path(__file__).resolve().parent
    for folder in (package / "i18n", package.parent / "i18n"):
        path = folder / f"satdifuser_{language}.qm"
        translator = QTranslator()
        if path.is_file() and translator.load(str(path)):
            QCoreApplication.installTranslator(translator)
            return translator
    return None
