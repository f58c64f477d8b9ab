"""A diffusion model as one object: images in, network input and named feature maps out."""

from __future__ import annotations

from ..streams import Scale, Stream, group_by_stride
from .backbone import Backbone
from .card import Card
from .load import load_backbone
from .metadata import METADATA_NAMES, normalise_metadata
from .schedule import Schedule

__all__ = [
    "METADATA_NAMES",
    "Backbone",
    "Card",
    "Scale",
    "Schedule",
    "Stream",
    "group_by_stride",
    "load_backbone",
    "normalise_metadata",
]
