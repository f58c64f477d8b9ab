"""Writes the strings of the QGIS half into every ``satdifuser_*.ts`` here; translations that still apply are kept.

Run with any Python: ``python i18n/update.py``. pylupdate5 is not used, since it drops texts written over several
lines ("…" "…"), and those are most of our sentences. Found are the literals of ``translate("SatDiFuser", …)`` and
``QT_TRANSLATE_NOOP("SatDiFuser", …)``.
"""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Dict, Iterator

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "satdifuser_qgis"
ROOMS = ("plugin.py", "compat.py", "gui", "processing", "styling")
CONTEXT = "SatDiFuser"


def sources() -> Iterator[str]:
    """Every text once, in the order of files and lines. Raises ValueError for one that is no literal."""
    seen = set()
    for room in ROOMS:
        path = PACKAGE / room
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            for text in _texts(file):
                if text not in seen:
                    seen.add(text)
                    yield text


def _texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ("translate", "QT_TRANSLATE_NOOP"):
            continue
        text = node.args[1]
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value
        elif not isinstance(text, (ast.Attribute, ast.Subscript)):
            # `translate("SatDiFuser", self.TITLE)` looks up what QT_TRANSLATE_NOOP marked elsewhere.
            raise ValueError(f"{file}:{node.lineno}: a text to be translated must be a literal")


def translations(path: Path) -> Dict[str, str]:
    """The finished translations in a ``.ts`` file."""
    if not path.is_file():
        return {}
    messages = ET.parse(path).getroot().iter("message")  # noqa: S314 (our own file)
    found = {message.findtext("source") or "": message.findtext("translation") or "" for message in messages}
    return {source: text for source, text in found.items() if text}


def write(path: Path, known: Dict[str, str]) -> None:
    """A ``.ts`` file with all of today's texts."""
    root = ET.Element("TS", version="2.1", language=path.stem.rpartition("_")[2], sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    for text in sources():
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = text
        translation = ET.SubElement(message, "translation")
        if text in known:
            translation.text = known[text]
        else:
            translation.set("type", "unfinished")
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n', encoding="utf-8")


if __name__ == "__main__":
    for ts_file in sorted(HERE.glob("satdifuser_*.ts")):
        write(ts_file, translations(ts_file))
