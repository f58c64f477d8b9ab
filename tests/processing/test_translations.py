"""Translations hold every text of the QGIS half, and what is filled into them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from qgis.core import QgsSettings

from satdifuser_qgis.processing import engine_state
from satdifuser_qgis.runtime.environment.locate import DEVELOPMENT, OWN, SETTING, VARIABLE

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "i18n").glob("satdifuser_*.ts"))


def load_update():
    specification = importlib.util.spec_from_file_location("update", ROOT / "i18n" / "update.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_text_is_missing(path):
    """Otherwise: ``python i18n/update.py``; then translate what it marks as unfinished."""
    written = [message.findtext("source") for message in ElementTree.parse(path).getroot().iter("message")]
    assert written == list(load_update().sources())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_placeholders_survive(path):
    for source, text in load_update().translations(path).items():
        assert set(re.findall(r"{\w+}", source)) == set(re.findall(r"{\w+}", text)), source


def test_a_german_qgis_speaks_german(qgis_app, qgis_processing, tmp_path, monkeypatch):
    if not shutil.which("lrelease"):
        pytest.skip("lrelease is not installed; no translation was compiled")
    from satdifuser_qgis import plugin

    (tmp_path / "satdifuser_qgis").mkdir()
    (tmp_path / "i18n").mkdir()
    compiled = str(tmp_path / "i18n" / "satdifuser_de.qm")
    subprocess.run(["lrelease", "-silent", str(ROOT / "i18n" / "satdifuser_de.ts"), "-qm", compiled], check=True)
    monkeypatch.setattr(plugin, "__file__", str(tmp_path / "satdifuser_qgis" / "plugin.py"))
    QgsSettings().setValue("locale/userLocale", "de_DE")
    german = plugin.SatDiFuserPlugin(None)
    try:
        german.initProcessing()
        algorithm = german.provider.algorithm("segment")
        assert algorithm.displayName() == "Landbedeckung mit einem Modell kartieren"
        assert algorithm.parameterDefinition("OUTPUT").description() == "Landbedeckung"
        assert {"land use", "Landnutzung"} <= set(algorithm.tags())
        monkeypatch.setenv(VARIABLE, "/nowhere/python")
        assert engine_state.missing().startswith(f"{VARIABLE} nennt als Python der Engine /nowhere/python")
        told = [engine_state.not_installed(), *(engine_state.origin(who) for who in (SETTING, OWN, DEVELOPMENT))]
        assert [word for word in ("the", "is", "setting") if word in " ".join(told).split()] == []
    finally:
        german.unload()
        QgsSettings().remove("locale/userLocale")
