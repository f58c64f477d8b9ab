"""Features of images: which (time, stream) pairs to read from a backbone, and how to bring the image to that time."""

from __future__ import annotations

from ..streams import Scale
from .extractor import Extractor
from .noise import position_noise
from .recipe import Recipe

__all__ = ["Extractor", "Recipe", "Scale", "position_noise"]
