"""What ships with the plugin to be looked at: icons and the guide."""

from __future__ import annotations

from qgis.PyQt.QtGui import QIcon

from ..protocol import folders

GUIDE_ON_THE_WEB = "https://github.com/satdifuser/satdifuser_qgis/blob/main/docs/guide.md"


def icon_path(name: str) -> str:
    """The path of one of our icons, by its stem."""
    return str(folders.resources() / "icons" / f"{name}.svg")


def icon(name: str) -> QIcon:
    """One of our icons, by its stem."""
    return QIcon(icon_path(name))


def guide_url(heading: str = "") -> str:
    """The guide at one of its headings: the page that ships with the plugin, in a checkout the one on the web.

    Browsers are handed local pages without what follows a "#", so each heading has a small page that leads to it.
    """
    anchor = heading.lower().replace(" ", "-")
    page = folders.PACKAGE / "help" / f"{anchor or 'guide'}.html"
    if page.is_file():
        return page.as_uri()
    return f"{GUIDE_ON_THE_WEB}#{anchor}" if anchor else GUIDE_ON_THE_WEB
