"""Whether a field of a layer can be the one that holds the classes, and which of its other fields look like it."""

from __future__ import annotations

import numpy as np
import shapely

from ...protocol.class_field import looks_like_classes, mostly_single, numbers_features
from ...protocol.errors import EngineError
from ..listing import listing
from .features import Features, other_fields

# Of all other fields it is told that they hold no classes.
_COUNTED = ("OFTString", "OFTInteger", "OFTInteger64", "OFTReal")


def check_class_field(source: str, field: str, features: Features) -> list[str]:
    """A sentence where most values of the field occur once, else none.

    Raises EngineError("bad_input") where the field numbers the features. A feature of several parts is no single one:
    a layer that was dissolved by class has one feature a class.
    """
    if features.kind not in _COUNTED:
        return []
    known = features.values.notna().to_numpy()
    values, count = int(features.values.nunique()), int(known.sum())
    parts = shapely.get_num_geometries(np.asarray(features.geometries.values, dtype=object)[known])
    if not mostly_single(values, count) or (parts > 1).any():
        return []
    if numbers_features(values, count):
        raise EngineError(
            "bad_input",
            f'The field "{field}" of "{features.name}" has another value in each of its {count} features. '
            "Is it the class field?",
            other_choice(source, field, "Choose the field that holds the classes, or draw several labels a class."),
        )
    return [
        f'The field "{field}" of "{features.name}" has {values} different values in {count} features. Is it the class '
        f"field? {other_choice(source, field)}".strip()
    ]


def other_choice(source: str, field: str, otherwise: str = "") -> str:
    """A sentence that names the other fields of a source that look like classes, else ``otherwise``."""
    names = [f'"{name}"' for name, values, count in other_fields(source, field) if looks_like_classes(values, count)]
    if not names:
        return otherwise
    return f"{listing(names)} {'looks' if len(names) == 1 else 'look'} like one."
