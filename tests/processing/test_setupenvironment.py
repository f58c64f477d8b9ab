"""Installing the engine from the Toolbox; `create` is played, nothing is installed."""

from __future__ import annotations

import json
import threading

import pytest
from qgis.core import QgsNetworkAccessManager, QgsProcessingException
from qgis.PyQt.QtNetwork import QNetworkProxy

from satdifuser_qgis.processing.engine_state import watch
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment import create, locate

from .conftest import asked


class Played:
    """What `create` was asked, and what it does."""

    def __init__(self) -> None:
        self.calls, self.variables, self.error = [], {}, None

    def make(self, kind):
        def made(feedback, variables=None):
            self.calls.append(kind)
            self.variables = variables
            feedback.pushInfo("Downloading torch")
            feedback.setProgress(50)
            if self.error:
                raise self.error
            python = locate.python_of(folders.environment() / "venv")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_bytes(bytes(2_000_000))
            versions = {"torch": "2.13.0+cpu", "diffusers": "0.42.1", "rasterio": "1.4.3"}
            marker = {"requirements": "", "python": "3.12.4", "versions": versions}
            (python.parents[1] / locate.MARKER).write_text(json.dumps(marker))
            return locate.Engine(python, "the user's environment")

        return made


@pytest.fixture
def played(monkeypatch, tmp_path):
    monkeypatch.delenv(locate.VARIABLE, raising=False)
    monkeypatch.setattr(locate, "_checkout", lambda: tmp_path)
    played = Played()
    for kind in ("create", "repair"):
        monkeypatch.setattr(create, kind, played.make(kind))
    return played


@pytest.fixture
def setup(provider):
    yield from asked("satdifuser:setupenvironment")


def test_it_installs_without_an_engine_and_says_what_is_there(setup, played):
    changes = []

    def heard():
        changes.append(threading.current_thread())

    watch.changed.connect(heard)
    try:
        results = setup.run()
    finally:
        watch.changed.disconnect(heard)
    assert results["ENGINE"] == str(locate.python_of(folders.environment() / "venv"))
    assert results["VERSIONS"] == "Python 3.12.4, torch 2.13.0+cpu, diffusers 0.42.1, rasterio 1.4.3."
    assert results["SIZE_MB"] == 2
    assert played.calls == ["repair"]
    assert changes == [threading.main_thread()]
    assert "Downloading torch" in setup.feedback.textLog()
    assert setup.feedback.progress() == 50


def test_it_is_made_again_on_request(setup, played):
    setup.run(AGAIN=True)
    assert played.calls == ["create"]


def test_a_failure_is_told_with_its_way_out_and_cancel_ends_it(setup, played):
    played.error = EngineError("engine_broken", "Installing torch failed.", "Look at the proxy.")
    with pytest.raises(QgsProcessingException, match=r"Installing torch failed\. Look at the proxy\."):
        setup.run()
    played.error = EngineError("cancelled", "Cancelled.")
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        setup.run()


def test_it_goes_through_the_proxy_of_qgis(setup, played):
    manager = QgsNetworkAccessManager.instance()
    before = manager.fallbackProxy()
    proxy = QNetworkProxy(QNetworkProxy.ProxyType.HttpProxy, "proxy.example", 3128)
    manager.setFallbackProxyAndExcludes(proxy, [], [])
    try:
        setup.run()
    finally:
        manager.setFallbackProxyAndExcludes(before, [], [])
    assert played.variables["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_another_engine_that_is_named_is_told(setup, played, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.touch()
    monkeypatch.setenv(locate.VARIABLE, str(other))
    setup.run()
    assert f"another is used: {locate.VARIABLE} names {other}." in setup.feedback.textLog()


def test_its_help_tells_size_and_place(provider):
    said = provider.algorithm("setupenvironment").shortHelpString()
    assert f"{locate.INSTALLED_GB} GB" in said
    assert str(folders.environment()) in said
