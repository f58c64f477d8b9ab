"""Reports as HTML files that open anywhere: no scripts, nothing from the net, one style."""

from __future__ import annotations

from typing import Any

import jinja2

from ...protocol import folders


def page(template: str, **values: Any) -> str:
    """A template of ``resources/report`` filled in. The same values give the same text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders.resources() / "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
