"""The environment of children, and how they are ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from satdifuser_qgis.runtime.child import ask, clean_environment, end_tree, start_options

from .conftest import gone


@pytest.mark.parametrize(
    "name",
    ["HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "https_proxy", "NO_PROXY", "CUDA_VISIBLE_DEVICES", "SystemRoot",
     "Temp",     "SATDIFUSER_HOME", "XDG_DATA_HOME", "ProgramFiles(x86)"],
)  # fmt: skip
def test_what_a_child_needs_gets_through(name):
    assert clean_environment({name: "x"})[name] == "x"


@pytest.mark.parametrize(
    "name",
    ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH",
     "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH", "QGIS_PREFIX_PATH", "VIRTUAL_ENV",
     "SSL_CERT_FILE",
     "OMP_NUM_THREADS", "AWS_SECRET_ACCESS_KEY", "PIP_INDEX_URL", "MY_TOKEN"],
)  # fmt: skip
def test_what_breaks_it_or_is_no_business_of_it_stays_behind(name):
    assert name not in clean_environment({name: "x"})


def test_path_holds_system_folders_only_and_the_hub_is_offline():
    environment = clean_environment({"PATH": "/opt/qgis/bin:/usr/bin"})
    assert "/opt/qgis/bin" not in environment["PATH"]
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_further_patterns_can_be_allowed():
    assert clean_environment({"PIP_CERT": "x"}, also=("PIP_*",))["PIP_CERT"] == "x"


def test_ask_brings_what_was_said():
    answer = ask([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], 20)
    assert (answer.exit_code, answer.stdout.strip(), answer.stderr.strip()) == (3, "out", "err")


def test_ask_ends_what_hangs():
    with pytest.raises(TimeoutError, match=r"0\.3 seconds"):
        ask([sys.executable, "-c", "import time; time.sleep(60)"], 0.3)


def test_children_cannot_wait_for_input():
    assert (
        ask([sys.executable, "-c", "print(repr(input()))"], 20)
        .stderr.strip()
        .endswith("EOFError: EOF when reading a line")
    )


def test_a_tree_that_refuses_to_end_is_killed():
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, **start_options()) as process:
        grandchild = int(process.stdout.readline())
        end_tree(process)
    assert process.returncode == -9
    assert gone(grandchild, within_s=1.0)
    end_tree(process)  # once more does no harm
