"""Reports as HTML files that open anywhere: no scripts, nothing from the net, one style."""

from __future__ import annotations

import re
from typing import Any

import jinja2

from ...protocol import folders

_AFTER_NUMBER = re.compile(r'(?<=\d) (?=[%("])')


def _unbroken(value: Any) -> Any:
    """Text whose numbers stay in one line with the sign or bracket that follows them."""
    if not isinstance(value, str):
        return value
    return type(value)(_AFTER_NUMBER.sub("\N{NO-BREAK SPACE}", value))


def page(template: str, **values: Any) -> str:
    """A template of ``resources/report`` filled in. The same values give the same text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders.resources() / "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unbroken,
    )
    return environment.get_template(template).render(**values)
