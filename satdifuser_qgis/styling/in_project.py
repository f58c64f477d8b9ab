"""The layers of one run in the project: dressed, in order, what few look at switched off."""

from __future__ import annotations

from typing import List, Optional

from qgis import utils
from qgis.core import (
    QgsLayerTree,
    QgsLayerTreeLayer,
    QgsLayerTreeNode,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
)

from .looks import Look

# Marks our layers in a project.
OUTPUT = "satdifuser/output"


class LayersOfRun:
    """What one run has loaded. QGIS loads layers by the names of their files; here the first look lies on top."""

    def __init__(self) -> None:
        self.loaded: List[LookInProject] = []
        # QGIS makes a new layer the current one, and the current one the image of the next dialog.
        current = utils.iface.activeLayer() if utils.iface is not None else None
        self.current_id = current.id() if current is not None else ""

    def dressing(self, look: Look, rank: int) -> LookInProject:
        """What dresses one layer of the run. ``rank`` is its place from the top, counted from 0."""
        return LookInProject(look, rank, self)

    def arrange(self) -> None:
        """Puts the layers that are loaded into order, where the first of them lies or above earlier runs there."""
        nodes = [(each.rank, each.node()) for each in self.loaded]
        by_rank = [node for _, node in sorted(nodes, key=lambda item: item[0]) if node is not None]
        parents = {node.parent() for node in by_rank}
        # A user who files layers into groups while they load has an order of his own.
        if len(parents) != 1:
            return
        parent = parents.pop()
        top = min(parent.children().index(node) for node in by_rank)
        # QGIS puts new layers above the current one, and so below the last map where that is of the same image.
        while top and _is_output(parent.children()[top - 1]):
            top -= 1
        for place, node in enumerate(by_rank, top):
            _move(parent, node, place)
            # The legend of the first says it all, and long ones would push the user's own layers out of sight.
            parent.children()[place].setExpanded(place == top)
        if utils.iface is not None:
            project = self.loaded[0].project
            current = project.mapLayer(self.current_id) if project is not None else None
            utils.iface.setActiveLayer(current or parent.children()[top].layer())


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
        layer.setCustomProperty(OUTPUT, True)
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


def _is_output(node: QgsLayerTreeNode) -> bool:
    layer = node.layer() if isinstance(node, QgsLayerTreeLayer) else None
    return layer is not None and bool(layer.customProperty(OUTPUT))


def _move(parent: QgsLayerTree, node: QgsLayerTreeLayer, place: int) -> None:
    """A tree cannot move its entries: a copy goes in before the old one leaves, or QGIS would remove the layer too."""
    now = parent.children().index(node)
    if now != place:
        parent.insertChildNode(place + 1 if place > now else place, node.clone())
        parent.removeChildNode(node)
