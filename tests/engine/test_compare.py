"""The comparison with golden vectors: right on any folder of the layout, and never right by leaving something out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reference_maker
import torch
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine import compare
from satdifuser_qgis.engine.compare import compare_reference


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with other blocks, widths, steps, factors and hyper-parameters."""
    folder = tmp_path_factory.mktemp("reference") / "variant"
    folder.mkdir()
    with torch.no_grad():
        reference_maker.make(folder)
    return folder


@pytest.fixture
def changed(variant: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy whose manifest was changed by a function; ``only`` leaves out other kinds of items, for speed."""

    def change(edit: Callable[[dict[str, Any]], object], only: str = "") -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(variant, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        wanted = {"cases", only} if only == "decoders" else {only} if only else set(compare.RUNNERS)
        for kind in set(compare.RUNNERS) - wanted:
            manifest[kind] = []
        if only == "decoders":
            manifest["cases"] = manifest["cases"][:1]
        edit(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return change


def failed(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in report["items"] if not item["ok"]]


def test_the_golden_folder_is_within_tolerance(shared_reference: Path) -> None:
    report = compare_reference(shared_reference / "inversion")
    assert not failed(report)
    assert report["ok"]
    assert report["largest"] < 0.5
    assert {item["kind"] for item in report["items"]} == set(compare.RUNNERS)


def test_another_folder_of_the_layout_is_within_tolerance(variant: Path) -> None:
    report = compare_reference(variant)
    assert not failed(report)
    assert report["ok"]
    assert len(report["items"]) == 1 + 1 + 3 + len(reference_maker.DECODERS) + 1


def test_the_command_prints_one_json_and_succeeds(variant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(variant) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.parametrize(
    ("kind", "path", "key"),
    [
        ("preprocessing", "cases/image.safetensors", "image"),
        ("vae", "cases/latents.safetensors", "latents_mode"),
        ("cases", "cases/chain.safetensors", "step01/eps_cond"),
        ("cases", "cases/noised.safetensors", "k20/x0_pred"),
        ("satunet_metadata", "cases/metadata.safetensors", "out_zero_metadata"),
        ("decoders", "decoders/out_lw_segmentation.safetensors", "gating1"),
        ("decoders", "decoders/out_moe_classification.safetensors", "lb_loss"),
    ],
)
@pytest.mark.parametrize("spoil", ["shift", "nan"])
def test_a_spoilt_number_is_found(changed: Callable[..., Path], kind: str, path: str, key: str, spoil: str) -> None:
    folder = changed(lambda manifest: None, kind)
    tensors = load_file(folder / path)
    tensors[key].view(-1)[0] = torch.nan if spoil == "nan" else tensors[key].view(-1)[0] + 0.1
    save_file(tensors, folder / path)
    report = compare_reference(folder)
    assert failed(report)
    assert not report["ok"]
    json.dumps(report, allow_nan=False)


def edit_decoder(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["decoders"][0].update(changes)


def edit_hyper(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["decoders"][0]["hyper"].update(changes)


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        ("preprocessing", lambda m: m.update(samplers=[{"name": "x", "file": "y"}])),
        ("preprocessing", lambda m: m.update(control={"file": "y", "expected": ["z"]})),
        ("preprocessing", lambda m: m.update(control={"first": {"file": "y", "expected": ["z"]}})),
        ("preprocessing", lambda m: m.update(pairs=[["x", "y"]])),
        ("preprocessing", lambda m: m.update(version=2)),
        ("preprocessing", lambda m: m.pop("tolerance")),
        ("decoders", edit_decoder(fuser="attention")),
        ("decoders", edit_decoder(task="regression")),
        ("decoders", edit_decoder(expected=["surprise"])),
        ("decoders", edit_decoder(expected=[])),
        ("decoders", edit_hyper(num_res_blocks=1)),
        ("decoders", edit_hyper(num_norm_groups=3)),
        ("cases", lambda m: m["cases"][0]["switches"].update(num_timesteps=50)),
        ("cases", lambda m: m["cases"][0]["streams"].pop()),
        ("cases", lambda m: m["cases"][0]["steps"][1].update(t=3)),
        ("cases", lambda m: m["cases"][0].update(num_unet_calls=9)),
    ],
)
def test_what_is_unknown_or_does_not_fit_fails(
    changed: Callable[..., Path],
    kind: str,
    edit: Callable[[dict[str, Any]], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert compare.main(changed(edit, kind)) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_a_folder_without_items_fails(changed: Callable[..., Path]) -> None:
    def empty(manifest: dict[str, Any]) -> None:
        for kind in compare.RUNNERS:
            manifest[kind] = []

    report = compare_reference(changed(empty))
    assert not report["ok"]
    assert report["problems"] == ["the manifest lists no item"]


def test_no_folder_and_no_json_fail(tmp_path: Path) -> None:
    assert not compare_reference(tmp_path)["ok"]
    (tmp_path / "manifest.json").write_text("[")
    assert not compare_reference(tmp_path)["ok"]


def test_one_item_that_cannot_be_computed_does_not_hide_the_others(changed: Callable[..., Path]) -> None:
    folder = changed(lambda manifest: None, "decoders")
    (folder / "decoders/fuser_gw_segmentation.safetensors").unlink()
    report = compare_reference(folder)
    assert [item["name"] for item in failed(report)] == ["gw_segmentation"]
    assert "error" in failed(report)[0]
