"""What the main window's message bar says of the engine: that it is missing, and how its installation ended.

At most one of these messages stands there; it goes when the engine has changed.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from qgis import utils
from qgis.core import Qgis, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QLocale
from qgis.PyQt.QtWidgets import QPushButton

from ..processing.engine_state import watch
from ..protocol.folders import plugin_version
from ..runtime.environment.locate import INSTALLED_GB

translate = QCoreApplication.translate
TITLE = "SatDiFuser"
# The version of the plugin whose offer the user has closed.
DECLINED_SETTING = "satdifuser/engineDeclined"

# The message that stands there, and whether it is the offer.
_standing: Any = None
_offered = False


def offer(install: Callable[[], None]) -> None:
    """Says that the engine is missing, with a button that calls ``install``; never again where it was closed."""
    if QgsSettings().value(DECLINED_SETTING, "") == plugin_version():
        return
    button = QPushButton(translate("SatDiFuser", "Install…"))
    button.clicked.connect(install)
    text = translate("SatDiFuser", "SatDiFuser needs its engine ({size} GB).").format(
        size=QLocale().toString(INSTALLED_GB)
    )
    _stand("", text, Qgis.MessageLevel.Info, button)


def failure(text: str) -> None:
    """Seen also where the options are closed; stands until a later try succeeds."""
    _stand(TITLE, text, Qgis.MessageLevel.Critical)


def success(text: str) -> None:
    """Goes by itself."""
    if utils.iface is not None:
        utils.iface.messageBar().pushMessage(TITLE, text, Qgis.MessageLevel.Success)


def clear() -> None:
    """Takes the standing message away."""
    item = _forget()
    if item is not None:
        utils.iface.messageBar().popWidget(item)


def _stand(title: str, text: str, level: Any, button: Optional[QPushButton] = None) -> None:
    global _standing, _offered
    clear()
    if utils.iface is None:
        return
    bar = utils.iface.messageBar()
    item = bar.createMessage(title, text)
    if button is not None:
        item.layout().addWidget(button)
    _standing, _offered = bar.pushWidget(item, level), button is not None
    bar.widgetRemoved.connect(_removed)
    watch.changed.connect(clear)


def _removed(item: Any) -> None:
    """The user has closed a message."""
    if item is _standing:
        if _offered:
            QgsSettings().setValue(DECLINED_SETTING, plugin_version())
        _forget()


def _forget() -> Any:
    """The standing message, which is not looked after any more: QGIS deletes what was closed."""
    global _standing
    item, _standing = _standing, None
    if item is not None:
        utils.iface.messageBar().widgetRemoved.disconnect(_removed)
        watch.changed.disconnect(clear)
    return item
