"""What the engine's Python, pip or a library wrote when it failed, turned into what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Tuple

from ...protocol.errors import EngineError
from .locate import NEEDED_GB, OPTIONS, Engine


class Failure(NamedTuple):
    """A pattern of error texts (searched without regard to case), what it means and the way out."""

    pattern: str
    message: str
    remedy: str


# Where QGIS keeps the proxy, which pip is given.
NETWORK = "Settings > Options > Network"
_AGAIN = f"Install the engine again in {OPTIONS}."
CHECK = 'Run "Check the installation".'
# Sentences of remedies that `of_engine` knows better.
_GENERAL = re.compile(r"engine again|by its own Python")

# From the special to the general: the first that matches is told.
FAILURES: Tuple[Failure, ...] = (
    Failure(
        r"no space left|not enough space on the disk|disk quota exceeded|Errno 28|WinError 112",
        "There is not enough space on the disk.",
        f"Free at least {NEEDED_GB} GB on the disk of the user folder, or set SATDIFUSER_HOME to another disk.",
    ),
    Failure(
        r"No module named '?(ensurepip|venv)\b|ensurepip is not available",
        "The Python that was found cannot make virtual environments.",
        "On Debian and Ubuntu install the package python3-venv; elsewhere install Python from python.org.",
    ),
    Failure(
        r"WinError 126|WinError 1114|WinError 127|vcruntime140|msvcp140|c10\.dll",
        "A library of torch cannot be loaded.",
        "Install the Microsoft Visual C++ 2015-2022 Redistributable (x64), restart the computer and try again.",
    ),
    Failure(
        r"WinError 225|virus|potentially unwanted",
        "A virus scanner has blocked a file of the engine.",
        "Allow the engine's folder in the virus scanner, then install the engine again.",
    ),
    Failure(
        r"WinError 5\b|WinError 32\b|Permission denied|Errno 13|being used by another process",
        "A file of the engine may not be written.",
        "Close other QGIS windows, look whether a virus scanner holds the file, and try again.",
    ),
    Failure(
        r"filename or extension is too long|WinError 206|path too long",
        "The path of the engine's folder is too long for Windows.",
        "Set SATDIFUSER_HOME to a short folder such as C:\\satdifuser and install the engine again.",
    ),
    Failure(
        r"GLIBC(XX)?_[\d.]+'? not found|platform tag|not a supported wheel",
        "The libraries do not fit this operating system.",
        "Choose a newer 64-bit Python, or update the operating system.",
    ),
    Failure(
        r"libcud\w+\.so|libcublas|libnvrtc|CUDA driver version is insufficient|no kernel image",
        "torch does not fit the graphics driver.",
        f"Update the graphics driver, or install the plugin's own engine in {OPTIONS}, which does without it.",
    ),
    Failure(
        r"proj\.db|PROJ: |CRSError|DATABASE\.LAYOUT",
        "The coordinate reference systems of the engine (PROJ) cannot be read.",
        "Remove PROJ_LIB, PROJ_DATA and GDAL_DATA where they are set for the whole system. " + _AGAIN,
    ),
    Failure(
        r"dependencies for SOCKS",
        "A SOCKS proxy cannot be used to install the engine.",
        f"Choose an HTTP proxy in {NETWORK}, or remove ALL_PROXY where it is set for the whole system.",
    ),
    Failure(
        r"ProxyError|Cannot connect to proxy|407 Proxy|Tunnel connection failed",
        "The connection through the proxy failed.",
        f"Look at the proxy's address, user and password in {NETWORK} and try again.",
    ),
    Failure(
        r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed",
        "The secure connection to the package server was refused.",
        "Behind a company's proxy name its certificate file in the variable PIP_CERT and try again.",
    ),
    Failure(
        r"Failed to establish a new connection|Name or service not known|getaddrinfo failed|timed out|ConnectionError"
        r"|Connection aborted",
        "The package server cannot be reached.",
        f"Check the connection to the internet, and the proxy in {NETWORK} where you need one. Then try again.",
    ),
    Failure(
        r"No matching distribution found|Could not find a version that satisfies",
        "A library is not available for this Python.",
        "Choose a 64-bit Python from 3.10 to 3.13 and install the engine again.",
    ),
    Failure(
        r"No module named '?encodings|init_fs_encoding|Failed to import encodings|error while loading shared libraries",
        "The engine's Python does not start: what it was made from is gone, for instance after an update.",
        _AGAIN,
    ),
    Failure(
        r"cannot execute|Exec format error|WinError 193|WinError 216|bad CPU type",
        "The engine's Python is no program for this computer.",
        f"Name another Python in {OPTIONS}, or install the engine again there.",
    ),
    Failure(
        r"No module named '?[\w.]+|ModuleNotFoundError",
        "A library of the engine is missing.",
        _AGAIN + " Where you chose the Python yourself, install the plugin's requirements into it.",
    ),
    Failure(
        r"MemoryError|Cannot allocate memory", "The memory did not suffice.", "Close other programs and try again."
    ),
    Failure(r"DLL load failed|undefined symbol|ImportError", "A library of the engine cannot be loaded.", _AGAIN),
)


def explain(text: str) -> Optional[Failure]:
    """The first known failure that the text shows, or None."""
    return next((known for known in FAILURES if re.search(known.pattern, text, re.IGNORECASE)), None)


def broken(what: str, text: str) -> EngineError:
    """EngineError("engine_broken") for ``what`` that failed with ``text``; the text goes to the detail."""
    known = explain(text)
    if known is None:
        return EngineError("engine_broken", what, f"{CHECK} {_AGAIN}", text)
    missing = re.search(r"No module named '?([\w.]+)", text)
    name = f" ({missing.group(1)})" if missing else ""
    return EngineError("engine_broken", f"{what} {known.message[:-1]}{name}.", known.remedy, text)


def of_engine(engine: Engine, failure: EngineError) -> EngineError:
    """The failure with the way out of this very engine where it is broken; other failures as they are."""
    if failure.code != "engine_broken":
        return failure
    sentences = re.split(r"(?<=\.) ", failure.remedy)
    remedy = " ".join([*(each for each in sentences if not _GENERAL.search(each)), engine.remedy]).strip()
    return EngineError(failure.code, failure.message, remedy, failure.detail)
