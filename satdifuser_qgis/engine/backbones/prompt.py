"""The text that a latent model is asked with, as the embedding its U-Net reads; encoded once."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...protocol.errors import EngineError

FILES = ("prompt_embeds.safetensors", "text_embeddings.safetensors")
KEYS = ("cond", "prompt_embeds")


def stored_prompt(path: Path, keys: tuple[str, ...] = KEYS) -> Tensor:
    """(1,L,C) from a file of embeddings, the first of ``keys`` that it has. Raises EngineError("bad_model")."""
    tensors = load_file(path)
    for key in keys:
        if key in tensors:
            return tensors[key].float()
    raise EngineError(
        "bad_model", f"{path} holds {', '.join(tensors)}, but none of {', '.join(keys)}.", "Name the tensor so."
    )


def encode_prompt(folder: Path, text: str) -> Tensor:
    """(1,L,C) by the folder's own tokenizer and text encoder. Raises EngineError("bad_model").

    Only their weights and tables are read; the tokens are padded to the tokenizer's maximum, as in training.
    """
    if find_spec("transformers") is None:
        raise EngineError(
            "bad_model",
            f'The backbone in {folder} needs its text encoder once, for "{text}", and the engine has no transformers.',
            f"Install the package transformers into the engine's environment, or put a file {FILES[0]} with the "
            f'embedding as tensor "{KEYS[0]}" (1 × tokens × width) into that folder.',
        )
    library = import_module("transformers")
    try:
        tokenizer = library.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        encoder = library.CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True)
    except (OSError, ValueError) as error:
        raise EngineError(
            "bad_model",
            f"The tokenizer or text encoder in {folder} cannot be read.",
            f"Download the backbone again, whole, or put a file {FILES[0]} into that folder.",
            repr(error),
        ) from error
    tokens = tokenizer(
        text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        return encoder.eval().float()(tokens.input_ids)[0]


def find_prompt(folders: tuple[Path, ...], text: str) -> Tensor:
    """The embedding stored in one of the folders, else made by one's text encoder. Raises EngineError("bad_model")."""
    for folder in folders:
        for name in FILES:
            if (folder / name).is_file():
                return stored_prompt(folder / name)
    for folder in folders:
        if (folder / "text_encoder").is_dir() and (folder / "tokenizer").is_dir():
            return encode_prompt(folder, text)
    raise EngineError(
        "bad_model",
        f"The backbone in {folders[0]} reads text, but has neither a text encoder nor a stored embedding.",
        f'Put a file {FILES[0]} with the tensor "{KEYS[0]}" (1 × tokens × width) into that folder.',
    )
