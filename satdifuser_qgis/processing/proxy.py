"""The proxy of QGIS's settings, for the downloads of pip."""

from __future__ import annotations

from typing import Dict
from urllib.parse import quote

from qgis.core import QgsNetworkAccessManager
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkProxy


def proxy_variables() -> Dict[str, str]:
    """The HTTP proxy of QGIS's settings as variables of an environment; empty without one.

    A proxy of the system is found by pip itself; SOCKS is beyond pip. To be called in the main thread.
    """
    manager = QgsNetworkAccessManager.instance()
    proxy = manager.fallbackProxy()
    if proxy.type() not in (QNetworkProxy.ProxyType.HttpProxy, QNetworkProxy.ProxyType.HttpCachingProxy):
        return {}
    if not proxy.hostName():
        return {}
    user = quote(proxy.user(), safe="")
    if proxy.password():
        user += ":" + quote(proxy.password(), safe="")
    address = f"http://{user}{'@' if user else ''}{proxy.hostName()}:{proxy.port()}"
    excluded = [QUrl.fromUserInput(url).host() for url in (*manager.excludeList(), *manager.noProxyList()) if url]
    values = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "NO_PROXY": ",".join(filter(None, excluded))}
    return {spelling: value for name, value in values.items() for spelling in (name, name.lower()) if value}
