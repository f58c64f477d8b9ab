"""Other versions of QGIS: the tests of QGIS's half, then a walk through a real window with the real engine.

    python -m tests.matrix [--roots FOLDER] [--no-tests] 3.22 3.40 3.44

Each version lives in a Debian root of its own (`roots`). Wants root, the staged plugin and the engine's environment;
minutes a version. Leaves pictures, logs and ``walk-result.json`` below build/matrix/VERSION.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.landscape import write

from .roots import RELEASES, make_root, run_inside

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "matrix"
EXPECTED = [
    ("landscape_unseen – land cover", True, "paletted"),
    ("landscape_unseen – land cover polygons", True, "categorizedSymbol"),
    ("landscape_unseen – entropy", False, "singlebandpseudocolor"),
    ("landscape_unseen – class probabilities", False, "singlebandpseudocolor"),
]
# The test tools are plain Python, so those of the development environment do for any version.
TESTS = """
export QT_QPA_PLATFORM=offscreen PYTHONPATH=$(echo .venv/qgis/lib/python3*/site-packages)
exec python3 -m pytest tests/processing/test_loading.py tests/processing/test_dialogs.py \
tests/processing/test_provider.py tests/styling tests/gui -q -p no:cacheprovider
"""
WALK = """
unset QT_QPA_PLATFORM
exec xvfb-run -a -s "-screen 0 1600x1000x24" qgis --profiles-path "$HOME/profiles" --nologo --noversioncheck \
--code tests/matrix/walk.py
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", default=list(RELEASES), help=f"of {', '.join(RELEASES)}")
    parser.add_argument("--roots", type=Path, default=ROOT / "build" / "roots", help="where the Debian roots lie")
    parser.add_argument("--no-tests", action="store_true", help="the walk alone")
    arguments = parser.parse_args()
    failed = [each for each in arguments.versions if not passes(each, arguments.roots, not arguments.no_tests)]
    sys.exit(f"Failed: {', '.join(failed)}" if failed else 0)


def passes(version: str, roots: Path, with_tests: bool) -> bool:
    """Whether tests and walk pass in that version; says so in lines."""
    root = make_root(version, roots.resolve())
    out = OUT / version
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="matrix-") as name:
        home = Path(name)
        environment = surroundings(home)
        if with_tests:
            code = run_inside(root, [ROOT, home], ["sh", "-c", f"cd {ROOT} && {TESTS}"], environment)
            print(f"{version}: tests of QGIS's half {'pass' if code == 0 else f'FAIL (exit code {code})'}", flush=True)
        seen = walk(root, home, environment)
        shutil.copytree(home / "walk", out)
    problem = complaint(seen)
    print(f"{version}: walk in QGIS {seen.get('qgis')} {problem or 'passes'}; pictures in {out}", flush=True)
    return not problem and (not with_tests or code == 0)


def surroundings(home: Path) -> dict[str, str]:
    """Variables of a fresh user in a fresh profile in which the plugin is switched on."""
    profile = home / "profiles" / "profiles" / "default" / "QGIS"
    profile.mkdir(parents=True)
    (profile / "QGIS3.ini").write_text("[PythonPlugins]\nprocessing=true\nsatdifuser_qgis=true\n")
    engine = home / "engine-python"
    engine.write_text(f'#!/bin/sh\nexec /usr/sbin/chroot /host {ROOT}/.venv/engine/bin/python "$@"\n')
    engine.chmod(0o755)
    (home / "runtime").mkdir(mode=0o700)
    (home / "tmp").mkdir()
    return {
        "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "runtime"), "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8",
        "QGIS_PLUGINPATH": str(ROOT / "build"), "SATDIFUSER_HOME": str(home / "store"),
        "SATDIFUSER_ENGINE_PYTHON": str(engine), "WALK_REQUEST": str(home / "walk.json"),
    }  # fmt: skip


def walk(root: Path, home: Path, environment: dict[str, str]) -> dict:
    """What was seen in the window; {} where it gave no answer."""
    made = write(home / "landscape")
    (home / "walk").mkdir()
    request = {"image": made.images[0], "labels": made.labels, "unseen": made.unseen, "folder": home / "walk"}
    (home / "walk.json").write_text(json.dumps({name: str(path) for name, path in request.items()}))
    run_inside(root, [ROOT, home], ["sh", "-c", f"cd {ROOT} && {WALK}"], environment)
    result = home / "walk" / "walk-result.json"
    return dict(json.loads(result.read_text(encoding="utf-8"))) if result.is_file() else {}


def complaint(seen: dict) -> str:
    """What is wrong with the walk, "" where nothing is."""
    if "layers" not in seen:
        return f"FAILS: {seen.get('error', 'no answer')}"
    found = [(each["name"], each["visible"], each["renderer"]) for each in seen["layers"]]
    return "" if found[: len(EXPECTED)] == EXPECTED else f"FAILS: the layers are {found}"


if __name__ == "__main__":
    main()
