"""A Debian with another QGIS in a folder of its own, and commands run in it. Needs root, mmdebstrap and Linux."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PACKAGES = "python3-qgis,qgis,python3-venv,xvfb,xauth,ca-certificates"


@dataclass(frozen=True)
class Release:
    """Where Debian has a version of QGIS."""

    suite: str
    backports: bool = False


RELEASES = {"3.22": Release("bookworm"), "3.40": Release("trixie"), "3.44": Release("trixie", backports=True)}


def make_root(version: str, folder: Path) -> Path:
    """The root with that QGIS, made where it is not there yet (some minutes, 1.8 GB)."""
    release, root = RELEASES[version], folder / version
    if (root / "usr/bin/qgis").exists():
        return root
    if not shutil.which("mmdebstrap"):
        raise SystemExit("mmdebstrap is not installed (apt-get install mmdebstrap).")
    command = [
        "mmdebstrap", "--mode=root", "--variant=minbase", "--aptopt=APT::Install-Recommends \"false\"",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
    ]  # fmt: skip
    if release.backports:
        suite = f"{release.suite}-backports"
        command += [
            "--include=ca-certificates",
            f"--setup-hook=mkdir -p \"$1/etc/apt/sources.list.d\" && echo 'deb {MIRROR} {suite} main' > "
            "\"$1/etc/apt/sources.list.d/backports.list\"",
            "--customize-hook=chroot \"$1\" apt-get update",
            f"--customize-hook=chroot \"$1\" apt-get install -y -t {suite} {PACKAGES.replace(',', ' ')}",
        ]  # fmt: skip
    else:
        command += [f"--include={PACKAGES}"]
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*command, release.suite, str(root), MIRROR], check=True)
    return root


def run_inside(root: Path, shared: list[Path], command: list[str], environment: dict[str, str]) -> int:
    """Runs a command in the root; ``shared`` folders are seen there under the same paths. Returns the exit code.

    Mounts are private and vanish with the command, so the root can be removed at any time. The machine itself is seen
    under /host, for an engine's Python that only fits the machine.
    """
    steps = [f"mkdir -p {root}/host", f"mount --rbind / {root}/host"]
    for folder in shared:
        steps += [f"mkdir -p {root}{folder}", f"mount --bind {folder} {root}{folder}"]
    steps += [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev", f"mount --rbind /sys {root}/sys"]
    steps += [f"cp /etc/resolv.conf {root}/etc/resolv.conf"]
    words = [f"{name}={value}" for name, value in environment.items()]
    inner = shlex.join(["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", *words, *command])
    script = " && ".join([*steps, f"exec chroot {root} {inner}"])
    return subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], check=False).returncode
