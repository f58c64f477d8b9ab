"""The device that computes."""

from __future__ import annotations

import pytest
import torch

from satdifuser_qgis.engine.inference.device import choose_device
from satdifuser_qgis.protocol.choices import DEVICE
from satdifuser_qgis.protocol.errors import EngineError


def test_cuda_that_is_not_there_names_the_way_to_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="an NVIDIA GPU") as caught:
        choose_device(DEVICE.index("cuda"))
    assert caught.value.code == "device"
    for way in ("cpu", "CUDA build of torch", "Settings > Options > SatDiFuser", "SATDIFUSER_ENGINE_PYTHON"):
        assert way in caught.value.remedy


def test_automatic_is_the_processor_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device(0).type == "cpu"
