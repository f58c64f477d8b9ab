"""What the values of a field tell of it: whether it numbers the features of a layer, or sorts them into classes."""

from __future__ import annotations

# So many features may well be of one class each.
_FEW = 10
_MOST_CLASSES = 255


def numbers_features(values: int, features: int) -> bool:
    """Whether each of so many features has a value of its own."""
    return _FEW < features == values


def mostly_single(values: int, features: int) -> bool:
    """Whether there are nearly as many different values as features."""
    return values > _FEW and 2 * values > features


def looks_like_classes(values: int, features: int) -> bool:
    """Whether values repeat as those of classes do."""
    return 2 <= values <= min(_MOST_CLASSES, features // 2)
