"""Refusal of parameter names that an algorithm does not have; QGIS ignores them and takes the default."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional

from qgis.PyQt.QtCore import QCoreApplication

from .values import closest

translate = QCoreApplication.translate


def refusal(parameters: Mapping[str, Any], known: Iterable[str]) -> Optional[str]:
    """What to tell the user about the first unknown name, None where all are known."""
    names = list(known)
    unknown = sorted(set(parameters) - set(names))
    if not unknown:
        return None
    meant = closest(unknown[0], names)
    if meant:
        return translate("SatDiFuser", 'There is no parameter "{name}". Did you mean "{meant}"?').format(
            name=unknown[0], meant=meant
        )
    return translate("SatDiFuser", 'There is no parameter "{name}". The parameters are {names}.').format(
        name=unknown[0], names=", ".join(names) or "–"
    )
