"""Writes the guide as pages that work offline: ``python docs/help/make.py FOLDER`` (``make stage`` calls it).

``guide.html`` is all of it. Each heading has a small page that leads there, since the systems hand local pages to
browsers without the "#heading" behind their name.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import jinja2
import markdown

HERE = Path(__file__).resolve().parent
GUIDE = HERE.parent / "guide.md"


def make(folder: Path) -> None:
    """Fills ``folder``, which is made where it is missing, with pages and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    reader = markdown.Markdown(extensions=["tables", "fenced_code", "toc"])
    body = reader.convert(GUIDE.read_text(encoding="utf-8"))
    (title,) = reader.toc_tokens
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True)
    whole = pages.get_template("guide.html.j2").render(title=title["name"], body=body, sections=title["children"])
    (folder / "guide.html").write_text(whole, encoding="utf-8")
    for section in title["children"]:
        page = pages.get_template("section.html.j2").render(section=section)
        (folder / f"{section['id']}.html").write_text(page, encoding="utf-8")
    for picture in re.findall(r'<img[^>]* src="([^":]+)"', body):
        target = folder / picture
        target.parent.mkdir(exist_ok=True)
        shutil.copy(GUIDE.parent / picture, target)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
