"""The options page: shows where the engine is, keeps what was entered."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from qgis.core import QgsSettings

from satdifuser_qgis.gui import setup
from satdifuser_qgis.gui.options import OptionsFactory, OptionsPage
from satdifuser_qgis.processing import engine_state
from satdifuser_qgis.processing.engine_state import ENGINE_SETTING
from satdifuser_qgis.protocol import folders


@pytest.fixture
def page(qgis_app, qtbot):
    QgsSettings().remove(ENGINE_SETTING)
    page = OptionsPage()
    qtbot.addWidget(page)
    yield page
    QgsSettings().remove(ENGINE_SETTING)


def test_a_python_that_is_not_there_is_told_at_once(page):
    page.engine_python.setFilePath("/nowhere/python")
    assert "/nowhere/python, which does not exist" in page.state.text()


def test_an_engine_is_shown_and_kept_when_applied(page, qtbot, tmp_path):
    python = tmp_path / "python"
    python.touch()
    page.engine_python.setFilePath(f" {python} ")
    assert str(python) in page.state.text()
    assert QgsSettings().value(ENGINE_SETTING) is None
    page.apply()
    assert QgsSettings().value(ENGINE_SETTING) == str(python)
    qtbot.waitUntil(lambda: setup.running() is None, timeout=10_000)
    folder = os.environ.get("SATDIFUSER_PICTURES")
    if folder:
        page.resize(700, 300)
        page.grab().save(str(Path(folder) / "options.png"))


def test_a_python_without_the_libraries_is_told_after_ok(page, qtbot, monkeypatch):
    page.engine_python.setFilePath(sys.executable)
    page.apply()
    qtbot.waitUntil(lambda: setup.running() is None, timeout=30_000)
    again = OptionsPage()
    qtbot.addWidget(again)
    assert "A library of the engine is missing" in again.state.text()
    assert 'Clear "Python of the engine"' in again.state.text()
    monkeypatch.setattr(engine_state, "verify", lambda engine: None)
    again.apply()
    qtbot.waitUntil(lambda: setup.running() is None, timeout=10_000)
    assert again.state.text().startswith(f"The engine is {sys.executable}"), "what was mended is tried again"


def test_the_way_to_an_nvidia_gpu_is_told(page):
    assert "CUDA build of torch" in page.gpu.text()


def test_parts_of_interrupted_maps_are_told_and_removed(qgis_app, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path))
    part = folders.unfinished() / "map" / "r0_c0_96x4096.npz"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(3_000_000))
    page = OptionsPage()
    qtbot.addWidget(page)
    assert "take 3 MB" in page.unfinished.text()
    page.empty.click()
    assert not folders.unfinished().exists()
    assert "take 0 MB" in page.unfinished.text()
    assert not page.empty.isEnabled()


def test_the_factory_makes_the_page(qgis_app, qtbot):
    factory = OptionsFactory()
    page = factory.createWidget(None)
    qtbot.addWidget(page)
    assert factory.title() == "SatDiFuser"
    assert not factory.icon().isNull()


def test_the_plugin_registers_and_takes_back_its_page(qgis_app, qgis_processing, qgis_iface):
    from satdifuser_qgis.plugin import SatDiFuserPlugin

    asked = []
    qgis_iface.registerOptionsWidgetFactory = lambda factory: asked.append(("add", factory))
    qgis_iface.unregisterOptionsWidgetFactory = lambda factory: asked.append(("remove", factory))
    plugin = SatDiFuserPlugin(qgis_iface)
    plugin.initGui()
    plugin.unload()
    assert [word for word, _ in asked] == ["add", "remove"]
    assert asked[0][1] is asked[1][1]
