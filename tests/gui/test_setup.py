"""Installing the engine from the options page; `create` is played, nothing is installed."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from pathlib import Path

import pytest
from qgis import utils
from qgis.core import QgsApplication, QgsNetworkAccessManager, QgsSettings
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtCore import QLocale
from qgis.PyQt.QtNetwork import QNetworkProxy
from qgis.PyQt.QtWidgets import QMessageBox, QPushButton

from satdifuser_qgis.gui import messages, options, setup
from satdifuser_qgis.processing import engine_state
from satdifuser_qgis.processing.engine_state import ENGINE_SETTING
from satdifuser_qgis.processing.proxy import proxy_variables
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment import create, locate

LINE = "Downloading https://download.pytorch.org/whl/cpu/torch-2.13.0%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl"


class Create:
    """What the worker thread does: tells, waits for ``go`` or cancel, then does or raises what a test wants."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.threads, self.variables = [], []
        self.error: Exception = None

    def create(self, feedback, variables=None):
        self.threads.append(threading.current_thread())
        self.variables.append(variables)
        feedback.setProgressText("Installing torch")
        feedback.setProgress(25)
        feedback.pushInfo(LINE)
        while not self.go.wait(0.01):
            if feedback.isCanceled():
                raise EngineError("cancelled", "Cancelled.")
        if self.error is not None:
            raise self.error
        return make_engine()

    def remove(self, feedback):
        (folders.environment() / "venv" / locate.MARKER).unlink()


def make_engine(requirements: str = "") -> locate.Engine:
    python = locate.python_of(folders.environment() / "venv")
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    versions = {"torch": "2.13.0+cpu", "diffusers": "0.42.1", "rasterio": "1.4.3"}
    marker = {"requirements": requirements or create._digest(create.REQUIREMENTS), "python": "3.12.4"}
    (python.parents[1] / locate.MARKER).write_text(json.dumps({**marker, "versions": versions}))
    return locate.Engine(python, "the user's environment")


class Window:
    """A main window of which only the message bar is used."""

    def __init__(self) -> None:
        self.bar = QgsMessageBar()

    def messageBar(self):  # noqa: N802
        return self.bar

    def messages(self):
        return [" ".join(filter(None, (item.title(), item.text()))) for item in self.bar.items()]


@pytest.fixture(autouse=True)
def played(qgis_app, tmp_path, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(locate.VARIABLE, raising=False)
    monkeypatch.setattr(locate, "_checkout", lambda: tmp_path)
    played = Create()
    monkeypatch.setattr(create, "create", played.create)
    monkeypatch.setattr(create, "repair", played.create)
    monkeypatch.setattr(create, "remove", played.remove)
    QgsSettings().remove(ENGINE_SETTING)
    yield played
    setup.stop()
    QgsSettings().remove(ENGINE_SETTING)


@pytest.fixture
def window(monkeypatch, qtbot):
    window = Window()
    qtbot.addWidget(window.bar)
    monkeypatch.setattr(utils, "iface", window)
    yield window
    messages.clear()


@pytest.fixture
def page(qtbot):
    return shown(qtbot)


def shown(qtbot):
    page = options.OptionsPage()
    qtbot.addWidget(page)
    page.resize(760, 420)
    page.show()
    return page


def enabled(page):
    return [button.isEnabled() for button in (page.install, page.repair, page.remove)]


def picture(page, name):
    folder = os.environ.get("SATDIFUSER_PICTURES")
    if folder:
        page.grab().save(str(Path(folder) / f"{name}.png"))


def ended(qtbot):
    qtbot.waitUntil(lambda: setup.running() is None, timeout=5000)


def test_without_an_engine_it_can_only_be_installed(page):
    assert enabled(page) == [True, False, False]
    assert page.state.text() == "The engine that does the computing is not installed."
    assert "about 1.8 GB of disk" in page.need.text()
    assert str(folders.environment()) in page.need.text()
    assert "3 GB must be free" in page.need.text()
    assert not page.bar.isVisible()
    picture(page, "setup-missing")


def test_an_installation_runs_in_the_background_and_is_shown(page, qtbot, played, window):
    page.install.click()
    qtbot.waitUntil(lambda: page.line.toolTip() == LINE and page.bar.value() == 25, timeout=5000)
    assert page.bar.isVisible()
    assert page.cancel.isEnabled()
    assert enabled(page) == [False, False, False]
    assert played.threads[0] is not threading.main_thread()
    qtbot.wait(50)
    picture(page, "setup-running")
    played.go.set()
    ended(qtbot)
    assert enabled(page) == [False, True, True]
    assert not page.bar.isVisible()
    assert "Python 3.12.4, torch 2.13.0+cpu" in page.state.text()
    assert page.outcome.text() == "Installing the engine of SatDiFuser: done."
    assert window.messages() == [], "the page says it"
    picture(page, "setup-ready")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EngineError("no_space", "The disk is full.", "Free some.", "pip's words"), "The disk is full. Free some."),
        (KeyError("surprise"), "Something unforeseen happened (KeyError: 'surprise')."),
    ],
)
def test_a_failure_is_told_in_the_main_thread(page, qtbot, played, window, error, told):
    played.error = error
    page.install.click()
    played.go.set()
    ended(qtbot)
    assert page.outcome.text().startswith(told)
    assert window.messages() == [f"SatDiFuser {told}"]
    assert enabled(page) == [True, False, False]
    picture(page, "setup-failed")


def test_a_red_message_goes_when_the_next_try_succeeds(page, qtbot, played, window):
    for error in (EngineError("no_space", "The disk is full."), EngineError("engine_broken", "No connection.")):
        played.error = error
        played.go.set()
        page.install.click()
        ended(qtbot)
        assert window.messages() == [f"SatDiFuser {error}"]
    played.error = None
    page.install.click()
    ended(qtbot)
    assert window.messages() == []
    assert page.outcome.text() == "Installing the engine of SatDiFuser: done."


def test_a_red_message_goes_when_the_toolbox_has_installed_it(page, qtbot, played, window):
    played.error = EngineError("no_space", "The disk is full.")
    played.go.set()
    page.install.click()
    ended(qtbot)
    make_engine()
    engine_state.watch.changed.emit()
    assert window.messages() == []
    assert enabled(page) == [False, True, True]


def test_a_red_message_that_was_closed_does_no_harm(page, qtbot, played, window):
    played.error = EngineError("no_space", "The disk is full.")
    played.go.set()
    page.install.click()
    ended(qtbot)
    window.bar.popWidget()
    qtbot.wait(50)
    played.error = None
    page.install.click()
    ended(qtbot)
    assert window.messages() == []
    assert page.outcome.text() == "Installing the engine of SatDiFuser: done."


@pytest.mark.parametrize("where", ["page", "task manager"])
def test_cancel_is_answered_at_once(page, qtbot, monkeypatch, request, where):
    """A step that takes its time to end, and goes on telling."""
    go = threading.Event()
    request.addfinalizer(go.set)

    def slow(feedback, variables=None):
        while not go.wait(0.01):
            feedback.pushInfo(LINE)
        raise EngineError("cancelled", "Cancelled.")

    monkeypatch.setattr(create, "create", slow)
    page.install.click()
    qtbot.waitUntil(lambda: page.line.toolTip() == LINE, timeout=5000)
    if where == "page":
        page.cancel.click()
        assert not page.cancel.isEnabled()
    else:
        QgsApplication.taskManager().cancelAll()
    assert page.line.text() == "Cancelling…"
    picture(page, "setup-cancelling")
    qtbot.wait(100)
    assert page.line.text() == "Cancelling…"
    again = shown(qtbot)
    assert again.line.text() == "Cancelling…"
    assert not again.cancel.isEnabled()
    go.set()
    ended(qtbot)
    assert page.outcome.text() == "Cancelled. Nothing was changed."


def test_cancel_ends_it_quietly(page, qtbot, window):
    page.install.click()
    page.cancel.click()
    ended(qtbot)
    assert page.outcome.text() == "Cancelled. Nothing was changed."
    assert window.messages() == []
    page.install.click()
    assert page.cancel.isEnabled()


def test_an_outdated_engine_is_told_and_repaired(qtbot, played):
    make_engine("other requirements")
    page = shown(qtbot)
    assert enabled(page) == [False, True, True]
    assert "Repair brings it up to date" in page.state.text()
    page.repair.click()
    played.go.set()
    ended(qtbot)
    assert "up to date" not in page.state.text()


def test_removing_asks_first(qtbot, monkeypatch):
    make_engine()
    page = shown(qtbot)
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *given: asked.append(given) or QMessageBox.StandardButton.No)
    page.remove.click()
    assert setup.running() is None
    assert asked[0][-1] == QMessageBox.StandardButton.No, "Enter removes nothing"
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.remove.click()
    assert not page.cancel.isVisible(), "there is no way back"
    ended(qtbot)
    assert enabled(page) == [True, False, False]


def test_it_goes_on_when_the_options_are_closed(qtbot, played):
    page = options.OptionsPage()
    page.install.click()
    page.deleteLater()
    del page
    qtbot.wait(50)
    gc.collect()
    again = shown(qtbot)
    assert again.bar.isVisible()
    assert enabled(again) == [False, False, False]
    assert setup.install() is setup.running()
    played.go.set()
    ended(qtbot)
    assert len(played.threads) == 1
    assert enabled(again) == [False, True, True]


def test_another_engine_that_is_named_is_told(page, qtbot, played, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.touch()
    monkeypatch.setenv(locate.VARIABLE, str(other))
    told = []
    QgsApplication.messageLog().messageReceived.connect(lambda text, tag, level: told.append(text))
    played.go.set()
    page.install.click()
    ended(qtbot)
    assert any(f"another is used: {locate.VARIABLE} names {other}." in line for line in told)


def test_the_proxy_of_qgis_goes_to_pip(qtbot, played):
    manager = QgsNetworkAccessManager.instance()
    before = manager.fallbackProxy()
    proxy = QNetworkProxy(QNetworkProxy.ProxyType.HttpProxy, "proxy.example", 3128, "me", "p@ss/word")
    manager.setFallbackProxyAndExcludes(proxy, ["https://intern.example/simple"], ["localhost"])
    try:
        setup.install()
    finally:
        manager.setFallbackProxyAndExcludes(before, [], [])
    played.go.set()
    ended(qtbot)
    told = played.variables[0]
    assert told["HTTPS_PROXY"] == told["http_proxy"] == "http://me:p%40ss%2Fword@proxy.example:3128"
    assert set(told["NO_PROXY"].split(",")) == {"intern.example", "localhost"}
    assert proxy_variables() == {}


@pytest.fixture
def plugin(qgis_processing, qgis_iface, window, monkeypatch, played):
    """The plugin in a window of which the menu, the options and the message bar are watched in ``asked``."""
    from satdifuser_qgis.plugin import SatDiFuserPlugin

    QgsSettings().remove(messages.DECLINED_SETTING)
    qgis_iface.registerOptionsWidgetFactory = lambda factory: None
    qgis_iface.unregisterOptionsWidgetFactory = lambda factory: None
    asked = []
    qgis_iface.addPluginToMenu = lambda menu, action: asked.append((menu, action.text()))
    qgis_iface.removePluginMenu = lambda menu, action: asked.append((menu, action.text()))
    qgis_iface.showOptionsDialog = lambda parent=None, currentPage="": asked.append(currentPage)
    plugin = SatDiFuserPlugin(qgis_iface)
    plugin.asked = asked
    yield plugin
    plugin.unload()
    QgsSettings().remove(messages.DECLINED_SETTING)


OFFER = "SatDiFuser needs its engine (1.8 GB)."


def test_the_menu_opens_the_page_and_unload_undoes_all(qtbot, plugin, played, window):
    plugin.initGui()
    plugin.action.trigger()
    assert setup.running() is not None, "the menu does what it says"
    qtbot.waitUntil(lambda: bool(played.threads), timeout=5000)
    began = time.monotonic()
    plugin.unload()
    assert time.monotonic() - began < 4.0
    ended(qtbot)
    entries = [("SatDiFuser", "Install the engine…"), ("SatDiFuser", "Guide")]
    assert plugin.asked == [*entries, options.PAGE, *entries]
    assert window.messages() == []


def test_a_start_without_an_engine_offers_to_install_it(qtbot, plugin, played, window):
    plugin.initGui()
    assert window.messages() == [OFFER]
    (button,) = (each for each in window.bar.findChildren(QPushButton) if each.text() == "Install…")
    button.click()
    assert plugin.asked[-1] == options.PAGE
    assert setup.running() is not None
    assert window.messages() == [], "what is being installed is not offered"
    played.go.set()
    ended(qtbot)
    assert window.messages() == ["SatDiFuser Installing the engine of SatDiFuser: done."]


def test_numbers_are_written_as_the_user_does(plugin, window, page):
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    try:
        plugin.initGui()
        assert window.messages() == [OFFER.replace("1.8", "1,8")]
        assert "1,8 GB" in options.engine_setup.what_it_takes()
    finally:
        QLocale.setDefault(before)


def test_a_start_with_an_engine_offers_nothing(plugin, window):
    make_engine()
    plugin.initGui()
    assert window.messages() == []
    assert plugin.action.text() == "Engine settings…"


def test_the_offer_comes_back_until_it_is_closed(qtbot, plugin, window):
    for _ in range(2):
        plugin.initGui()
        assert window.messages() == [OFFER]
        plugin.unload()
        assert window.messages() == []
    plugin.initGui()
    window.bar.popWidget()
    qtbot.wait(50)
    plugin.unload()
    plugin.initGui()
    assert window.messages() == []


def test_the_menu_entry_says_what_it_is_for(qtbot, plugin, played, tmp_path):
    plugin.initGui()
    told = [plugin.action.text()]
    played.go.set()
    for work in (setup.install, setup.remove):
        work()
        ended(qtbot)
        told.append(plugin.action.text())
    assert told == ["Install the engine…", "Engine settings…", "Install the engine…"]
    page = shown(qtbot)
    python = tmp_path / "python"
    python.touch()
    page.engine_python.setFilePath(str(python))
    page.apply()
    assert plugin.action.text() == "Engine settings…"
    ended(qtbot)


def test_the_menu_opens_the_guide(plugin, monkeypatch):
    opened = []
    monkeypatch.setattr(options.QDesktopServices, "openUrl", opened.append)
    plugin.initGui()
    plugin.guide.trigger()
    assert "guide" in opened[0].toString()
