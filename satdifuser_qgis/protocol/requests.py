"""Every task's name and its request."""

from __future__ import annotations

from typing import Any, Dict, Type

from .doctor import DoctorRequest
from .pretrain import PretrainRequest
from .segment import SegmentRequest
from .trainsegmentation import TrainSegmentationRequest

REQUESTS: Dict[str, Type[Any]] = {
    kind.TASK: kind for kind in (DoctorRequest, PretrainRequest, SegmentRequest, TrainSegmentationRequest)
}
