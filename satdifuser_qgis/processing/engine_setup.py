"""Installs the engine from the Toolbox and the command line, by the same code as the options page."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from qgis.PyQt.QtCore import QCoreApplication, QLocale

from ..protocol import folders
from ..protocol.errors import EngineError
from ..runtime.environment import create
from ..runtime.environment.locate import INSTALLED_GB, NEEDED_GB, Engine, locate
from ..runtime.feedback import Feedback
from .engine_state import named_python, origin, versions

translate = QCoreApplication.translate


def what_it_takes() -> str:
    """Size, place and time of an installation, in words."""
    return translate(
        "SatDiFuser",
        "The engine takes about {size} GB of disk in {folder}; {free} GB must be free there to install it. It "
        "is downloaded from PyPI and pytorch.org, which takes some minutes. QGIS's own Python is left alone.",
    ).format(size=QLocale().toString(INSTALLED_GB), free=NEEDED_GB, folder=folders.environment())


def install(feedback: Feedback, variables: Mapping[str, str], again: bool) -> Dict[str, Any]:
    """Installs the engine where it is missing, outdated or does not work, and in any case where ``again`` is true.

    Returns where its Python is, its versions as a sentence, and its size in megabytes. Raises EngineError.
    """
    make = create.create if again else create.repair
    engine = make(feedback, variables=variables)
    _warn_of_another(feedback, engine)
    size_mb = round(folders.size(folders.environment()) / 1e6)
    return {"ENGINE": str(engine.python), "VERSIONS": versions(engine), "SIZE_MB": size_mb}


def _warn_of_another(feedback: Feedback, installed: Engine) -> None:
    """A Python that the user named goes before the installed one."""
    try:
        used = locate(named_python())
        if used.python == installed.python:
            return
        reason = translate("SatDiFuser", "{origin} names {python}").format(
            origin=origin(used.origin), python=used.python
        )
    except EngineError as error:
        reason = str(error)
    feedback.pushWarning(
        translate("SatDiFuser", "The engine is installed, but another is used: {reason}.").format(
            reason=reason.rstrip(".")
        )
    )
