"""What is read from a backbone; kept in model files."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.choices import METADATA

MODES = ("noised", "inversion", "clean")

CLEAN_TIMES = (0,)


@dataclass(frozen=True)
class Recipe:
    """Which features to take. Empty ``times`` or ``streams`` mean the backbone's own.

    times: model times, ascending. mode: "noised" adds noise to each time independently; "inversion" walks there
    by the network's own predictions, over a grid of ``steps`` times; "clean" shows the image itself, once, at time 0,
    to a network that reads it so. metadata: of backbones that know it, leave the numbers out, give zeros, or
    the image's own. published: read predictions, choose times and sample latents as SatDiFuser's published code does.
    """

    times: tuple[int, ...] = ()
    streams: tuple[str, ...] = ()
    mode: str = "noised"
    published: bool = False
    metadata: str = "zeros"
    seed: int = 0
    steps: int = 50

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f'mode is "{self.mode}" but must be one of {", ".join(MODES)}')
        if self.metadata not in METADATA:
            raise ValueError(f'metadata is "{self.metadata}" but must be one of {", ".join(METADATA)}')
        if any(late <= early for early, late in zip(self.times, self.times[1:])):
            raise ValueError(f"times are {self.times} but must ascend, the least noise first")
        if self.mode == "clean" and (self.published or self.times not in ((), CLEAN_TIMES)):
            raise ValueError("clean extraction reads the image without noise: leave times and published out")
        lowest = -1 if self.published and self.mode == "inversion" else 0
        if any(not lowest <= time < 1000 for time in self.times):
            raise ValueError(f"times are {self.times} but model times run from {lowest} to 999")
