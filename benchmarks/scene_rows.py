"""The rows of the scene benchmark, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.baselines.scene import forest, support_vectors
from benchmarks.scene_methods import Outcome, Task, best_single, fused, on_statistics, scratch
from benchmarks.scene_tuned import tuned
from satdifuser_qgis.engine.features import Recipe
from satdifuser_qgis.engine.features.statistics import TEXTURE_COLUMNS

CLEAN = Recipe(mode="clean")
# The method reads several noise levels: whether that pays here, see docs/decisions/0017.
THREE_TIMES = Recipe(times=(1, 101, 201))


@dataclass(frozen=True)
class Entry:
    """A row of the table: title, whether it is ours, what its features are, and how it is run."""

    title: str
    kind: str
    extraction: str
    run: Callable[[Task], Outcome]


def _fused_entries() -> dict[str, Entry]:
    entries = {}
    for fusion, title in (("global", "global"), ("localized", "localized"), ("mixture", "mixture of experts")):
        for side in (False, True):
            name = f"{fusion}-side" if side else fusion
            said = f"ours, {title}{' + statistics' if side else ''}"
            entries[name] = Entry(said, "ours", "noised", fused(fusion, side))
    for side in (False, True):
        name, said = ("-side", " + statistics") if side else ("", "")
        entries |= {
            f"clean{name}": Entry(
                f"ours, clean pass, global{said}", "ours", "clean", fused("global", side, recipe=CLEAN)
            ),
            f"three-times{name}": Entry(
                f"ours, three times, global{said}", "ours", "noised", fused("global", side, recipe=THREE_TIMES)
            ),
            f"random{name}": Entry(
                f"random-weights backbone, global{said}", "baseline", "noised", fused("global", side, "random")
            ),
        }
    return entries


METHODS = {
    "forest": Entry("random forest, colour and texture", "baseline", "none", on_statistics(forest, TEXTURE_COLUMNS)),
    "svm": Entry("RBF-SVM, colour and texture", "baseline", "none", on_statistics(support_vectors, TEXTURE_COLUMNS)),
    "svm-shapes": Entry("RBF-SVM, with lines and shapes", "baseline", "none", on_statistics(support_vectors, 10_000)),
    "cnn": Entry("small network from scratch", "baseline", "none", scratch),
    "single": Entry("best single stream, linear probe", "baseline", "noised", best_single),
    **_fused_entries(),
    "tuned": Entry("ours, fine-tuned, global", "ours", "noised", tuned),
}
