"""Every Help button opens the guide at its section, without a network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from satdifuser_qgis.processing import about
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.runtime.environment.locate import INSTALLED_GB, NEEDED_GB

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "build" / "satdifuser_qgis" / "help"
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


@pytest.fixture
def staged(monkeypatch):
    if not (HELP / "guide.html").is_file():
        pytest.skip('build/satdifuser_qgis/help is not there ("make stage"); the staged plugin was not looked at')
    monkeypatch.setattr(folders, "PACKAGE", HELP.parent)


def path_of(url: str) -> Path:
    parts = urlparse(url)
    assert (parts.scheme, parts.fragment) == ("file", "")
    return Path(unquote(parts.path))


def test_every_toolbox_entry_has_a_section_of_its_name(provider):
    headings = re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    assert {algorithm.TITLE for algorithm in provider.algorithms()} <= set(headings)


def test_help_opens_a_page_that_leads_to_the_section(provider, staged):
    whole = (HELP / "guide.html").read_text(encoding="utf-8")
    for algorithm in provider.algorithms():
        page = path_of(algorithm.helpUrl())
        (anchor,) = re.findall(r'url=guide\.html#([\w-]+)"', page.read_text(encoding="utf-8"))
        assert f'<h2 id="{anchor}">{algorithm.TITLE}</h2>' in whole
    assert path_of(about.guide_url()) == HELP / "guide.html"


def test_everything_in_the_pages_is_there(staged):
    for page in HELP.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]+)"|url=([^"]+)"', text):
            target, _, anchor = (link[0] or link[1]).partition("#")
            file = page.parent / target if target else page
            assert file.is_file(), (page, link)
            assert not anchor or f'id="{anchor}"' in file.read_text(encoding="utf-8"), (page, link)
        assert "://" not in re.sub(r"<code>.*?</code>", "", text, flags=re.DOTALL), page


def test_a_checkout_that_is_not_staged_leads_to_the_web(provider, monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "PACKAGE", tmp_path)
    assert provider.algorithm("segment").helpUrl() == f"{about.GUIDE_ON_THE_WEB}#map-land-cover-with-a-model"


def test_a_folder_with_any_name_is_a_proper_address(monkeypatch, tmp_path):
    package = tmp_path / "Zoë's plugins #1 50%"
    (package / "help").mkdir(parents=True)
    (package / "help" / "guide.html").touch()
    monkeypatch.setattr(folders, "PACKAGE", package)
    assert path_of(about.guide_url()) == package / "help" / "guide.html"


def test_the_guide_tells_the_sizes_that_were_measured():
    assert f"takes {INSTALLED_GB} GB of disk; {NEEDED_GB} GB must be free" in GUIDE
