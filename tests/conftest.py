"""`--slow` runs what takes minutes as well."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too, in their full length")


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="it takes minutes; run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)
