"""The layers of one run in the project: dressed, in order, what few look at switched off."""

from __future__ import annotations

from typing import List, Optional

from qgis import utils
from qgis.core import (
    QgsLayerTree,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
)

from .looks import Look


class LayersOfRun:
    """What one run has loaded. QGIS loads layers by the names of their files; here the first look lies on top."""

    def __init__(self) -> None:
        self.loaded: List[LookInProject] = []

    def dressing(self, look: Look, rank: int) -> LookInProject:
        """What dresses one layer of the run. ``rank`` is its place from the top, counted from 0."""
        return LookInProject(look, rank, self)

    def arrange(self) -> None:
        """Puts the layers that are loaded into order, in the places of the tree that they hold together."""
        nodes = [(each.rank, each.node()) for each in self.loaded]
        by_rank = [node for _, node in sorted(nodes, key=lambda item: item[0]) if node is not None]
        parents = {node.parent() for node in by_rank}
        # A user who files layers into groups while they load has an order of his own.
        if len(parents) != 1:
            return
        parent = parents.pop()
        places = sorted(parent.children().index(node) for node in by_rank)
        for place, node in zip(places, by_rank):
            _move(parent, node, place)
            # The legend of the first says it all, and long ones would push the user's own layers out of sight.
            parent.children()[place].setExpanded(place == places[0])
        if utils.iface is not None:
            # QGIS puts new layers above the current one: the next map shall not lie below this one.
            utils.iface.setActiveLayer(parent.children()[places[0]].layer())


class LookInProject(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer its look when Processing adds it to the project (never called headless)."""

    def __init__(self, look: Look, rank: int, run: LayersOfRun) -> None:
        super().__init__()
        self.look = look
        self.rank = rank
        self.run = run
        self.layer_id = ""
        self.project: Optional[QgsProject] = None

    def postProcessLayer(  # noqa: N802 (QGIS name)
        self, layer: Optional[QgsMapLayer], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        if layer is None or not layer.isValid():
            return
        self.look.apply(layer)
        layer.triggerRepaint()
        self.layer_id, self.project = layer.id(), layer.project()
        node = self.node()
        if node is not None:
            node.setItemVisibilityChecked(self.look.VISIBLE)
            self.run.loaded.append(self)
            self.run.arrange()

    def node(self) -> Optional[QgsLayerTreeLayer]:
        """The layer's entry in the layer tree; None where the user has removed it."""
        return self.project.layerTreeRoot().findLayer(self.layer_id) if self.project is not None else None


def _move(parent: QgsLayerTree, node: QgsLayerTreeLayer, place: int) -> None:
    """A tree cannot move its entries: a copy goes in before the old one leaves, or QGIS would remove the layer too."""
    now = parent.children().index(node)
    if now != place:
        parent.insertChildNode(place + 1 if place > now else place, node.clone())
        parent.removeChildNode(node)
