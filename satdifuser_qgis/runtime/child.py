"""Child processes: the environment they get, how they are started out of sight, how all of a tree is ended."""

from __future__ import annotations

import fnmatch
import os
import signal
import subprocess  # nosec B404
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Sequence

# What QGIS, its launcher or the user's shell put into the environment (PROJ_LIB, GDAL_DATA, LD_LIBRARY_PATH,
# PYTHONHOME) breaks the engine's own libraries, so only what is named here gets through.
ALLOWED = (
    "HOME", "USER", "LOGNAME", "USERNAME", "USERPROFILE", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH",
    "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES*", "COMMONPROGRAMFILES*", "ALLUSERSPROFILE", "PUBLIC",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "OS", "PROCESSOR_*", "NUMBER_OF_PROCESSORS",
    "TMP", "TEMP", "TMPDIR", "XDG_*", "LANG", "LANGUAGE", "LC_*", "TZ",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
    "CUDA_*", "SATDIFUSER_*",
)  # fmt: skip
ADDED = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
TERMINATE_GRACE_S = 1.0
WINDOWS = sys.platform == "win32"


def clean_environment(base: Mapping[str, str], also: Iterable[str] = ()) -> Dict[str, str]:
    """The variables of ``base`` that a child gets; ``also`` allows further patterns (upper case)."""
    patterns = (*ALLOWED, *also)
    kept = {
        name: value
        for name, value in base.items()
        if any(fnmatch.fnmatchcase(name.upper(), pattern) for pattern in patterns)
    }
    return {**kept, **ADDED, "PATH": _system_path(base)}


def _system_path(base: Mapping[str, str]) -> str:
    """Folders of the system only: QGIS's own on the PATH hold libraries with the names of the engine's."""
    if WINDOWS:
        root = next((value for name, value in base.items() if name.upper() == "SYSTEMROOT"), r"C:\Windows")
        return os.pathsep.join((rf"{root}\System32", root, rf"{root}\System32\Wbem"))
    return "/usr/local/bin:/usr/bin:/bin"


def start_options() -> Dict[str, Any]:
    """Arguments of Popen: nothing to read, a process group of its own, no console window."""
    options: Dict[str, Any] = {"stdin": subprocess.DEVNULL}
    if WINDOWS:
        flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
        options["creationflags"] = sum(int(getattr(subprocess, flag)) for flag in flags)
    else:
        options["start_new_session"] = True
    return options


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Ends a process started with `start_options` and all its children: politely, then for good."""
    if process.poll() is None:
        _signal_tree(process, "SIGTERM")
        deadline = time.monotonic() + TERMINATE_GRACE_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    # also after it ended by itself: its children hold its pipes open
    _signal_tree(process, "SIGKILL")
    process.wait()


def _signal_tree(process: subprocess.Popen[bytes], name: str) -> None:
    if WINDOWS:
        if process.poll() is None:
            _taskkill(process.pid)
        return
    try:
        os.killpg(process.pid, getattr(signal, name))
    except (ProcessLookupError, PermissionError):
        # nobody is left; macOS answers with "not permitted" when only zombies are
        return


def _taskkill(pid: int) -> None:
    """Windows has no process groups to signal: its own tool walks the tree."""
    tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "taskkill.exe"
    command = [str(tool), "/F", "/T", "/PID", str(pid)]
    # a tool of the system by its full path; the arguments are ours
    subprocess.run(  # nosec B603
        command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **start_options()
    )


class Answer(NamedTuple):
    """How a short child process ended: exit code and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str


def ask(command: Sequence[str], timeout_s: float) -> Answer:
    """Runs a short command out of sight. Raises OSError where it cannot start, TimeoutError where it hangs."""
    # no shell; commands are built by this package from paths that the user or the system named
    process = subprocess.Popen(  # nosec B603
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(os.environ),
        **start_options(),
    )
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"no answer within {timeout_s:g} seconds") from None
        finally:
            end_tree(process)
    return Answer(process.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))
