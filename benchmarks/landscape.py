"""A painted landscape: georeferenced images with fields, woods, water, roads and houses, their labels and the truth.

It stands in where no real imagery is at hand. The same seed paints the same pixels. It is easier than real ground
(clean borders, one season, one sensor), so scores on it say that the program works, not how well it maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from shapely import coverage_simplify
from shapely.affinity import rotate
from shapely.geometry import LineString, Point, Polygon, box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

TILE_PX, PIXEL_M, CRS = 512, 10.0, "EPSG:32632"
WEST, NORTH = 652_000.0, 5_405_000.0
ROWS, COLUMNS = 2 * TILE_PX, 3 * TILE_PX
NAMES = {1: "field", 2: "wood", 3: "water", 4: "road", 5: "house"}
COLORS = {1: (230, 196, 92), 2: (31, 120, 62), 3: (64, 132, 196), 4: (120, 120, 120), 5: (206, 66, 66)}
FIELD, WOOD, WATER, ROAD, HOUSE = NAMES
LABELLED_SHARE = {FIELD: 0.12, WOOD: 0.4, WATER: 0.5, ROAD: 0.5, HOUSE: 0.35}
# red, green, blue of bare soil, stubble, winter wheat, pasture, rape, maize
CROPS = np.array([(139, 112, 88), (176, 156, 108), (86, 122, 62), (104, 138, 74), (170, 164, 84), (70, 104, 58)])
GROUND = {WOOD: (38, 62, 38), WATER: (34, 58, 74), ROAD: (158, 154, 148), HOUSE: (186, 128, 108)}
BLUR_PX, NOISE, STRIPES = 0.55, 2.6, 0.7

Map = NDArray[np.uint8]
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Landscape:
    """``image`` (3, H, W) uint8, ``truth`` (H, W) class codes, ``objects`` (H, W) a number for each thing in it."""

    image: Map
    truth: Map
    objects: Ids


@dataclass(frozen=True)
class Painted:
    """The files: images with labelled polygons, and one unseen image with its whole truth."""

    images: tuple[Path, ...]
    labels: Path
    unseen: Path
    truth: Path


def paint(seed: int = 7) -> Landscape:
    """The whole ground, 1024 × 1536 px."""
    rng = np.random.default_rng(seed)
    parcels, angle = _parcels(rng)
    truth = np.full((ROWS, COLUMNS), FIELD, np.uint8)
    objects = parcels.copy()
    river, lakes = _water(rng)
    water = _burn([river, *lakes])
    pieces = np.where(water > 0, water * 100 + np.arange(COLUMNS) // 80 + 1, 0).astype(np.int32)
    layers = [(WOOD, _woods(rng)), (WATER, pieces), *_settlement(rng, unary_union(lakes))]
    for code, things in layers:
        free = things > 0 if code != HOUSE else (things > 0) & (truth == FIELD)
        truth[free] = code
        objects[free] = code * 1_000_000 + things[free]
    return Landscape(_light(rng, truth, parcels, angle), truth, objects)


def write(folder: Path, seed: int = 7) -> Painted:
    """Paints into ``folder``: four images to learn from, their polygons, the unseen image and its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    ground = paint(seed)
    places = [(row, column) for row in (0, TILE_PX) for column in (0, TILE_PX)]
    images = []
    for number, (row, column) in enumerate(places, start=1):
        images.append(folder / f"landscape_{number}.tif")
        _write_tile(images[-1], ground.image, row, column)
    unseen, truth = folder / "landscape_unseen.tif", folder / "landscape_unseen_truth.tif"
    _write_tile(unseen, ground.image, TILE_PX // 2, 2 * TILE_PX)
    _write_tile(truth, ground.truth[None], TILE_PX // 2, 2 * TILE_PX, COLORS)
    labels = folder / "labels.gpkg"
    polygons(ground, np.random.default_rng(seed)).to_file(labels, layer="labels", driver="GPKG", VERSION="1.2")
    return Painted(tuple(images), labels, unseen, truth)


def polygons(ground: Landscape, rng: np.random.Generator) -> geopandas.GeoDataFrame:
    """What somebody might have drawn in an afternoon on the four images: some things of each class, not all."""
    width = 2 * TILE_PX
    seen = np.ascontiguousarray(ground.objects[:, :width])
    outlines, numbers = zip(*shapes(seen, transform=_transform(0, 0)))
    # simplified as a coverage, so that neighbours do not claim the same pixels
    drawn = coverage_simplify([shape(outline) for outline in outlines], PIXEL_M * 0.8)
    rows = []
    for polygon, number in zip(drawn, numbers):
        code = max(int(number) // 1_000_000, FIELD)
        if rng.random() < LABELLED_SHARE[code] and not polygon.is_empty:
            rows.append({"class": NAMES[code], "geometry": polygon})
    return geopandas.GeoDataFrame(rows, crs=CRS)


def _parcels(rng: np.random.Generator) -> tuple[Ids, NDArray[np.float64]]:
    """A number for each field, and the direction of its rows: long parcels that turn with the valley."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    angle = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 180, mode="wrap")
    zone = np.digitize(angle, np.quantile(angle, (0.35, 0.7)))
    parcels, direction = np.zeros((ROWS, COLUMNS), np.int32), np.zeros((ROWS, COLUMNS))
    for index, turn in enumerate(rng.uniform(0, np.pi, 3)):
        along = (x * np.cos(turn) + y * np.sin(turn)) / 58
        across = (-x * np.sin(turn) + y * np.cos(turn)) / 24
        corners = rng.uniform((along.min(), across.min()), (along.max(), across.max()), (2400, 2))
        _, nearest = cKDTree(corners).query(np.stack([along, across], -1).reshape(-1, 2))
        here = zone == index
        parcels[here] = (nearest.reshape(ROWS, COLUMNS) + 1 + index * 10_000)[here]
        direction[here] = turn
    return parcels, direction


def _woods(rng: np.random.Generator) -> Ids:
    """Woods with ragged edges, about a fifth of the ground; one number for each square kilometre of wood."""
    coarse = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 34, mode="wrap")
    fine = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 5, mode="wrap")
    height = coarse / coarse.std() + 0.28 * fine / fine.std()
    y, x = np.mgrid[0:ROWS, 0:COLUMNS] // 100
    return np.where(height > np.quantile(height, 0.79), 1 + y * 100 + x, 0).astype(np.int32)


def _water(rng: np.random.Generator) -> tuple[Polygon, list[Polygon]]:
    """A river from west to east and a few lakes, in pixel coordinates."""
    x = np.arange(0, COLUMNS + 1, 4)
    y = 520 + 95 * np.sin(x / 170 + rng.uniform(0, 6)) + 34 * np.sin(x / 61 + rng.uniform(0, 6))
    river = LineString(np.stack([x, y], 1)).buffer(5.5)
    lakes = []
    for centre_x, centre_y in ((260, 170), (880, 830), (1290, 380), (1180, 690)):
        bends = rng.uniform(0.7, 1.25, 14)
        turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        radius = rng.uniform(28, 46)
        ring = np.stack([1.5 * np.cos(turns), np.sin(turns)], 1) * (radius * bends)[:, None]
        lakes.append(Polygon(np.add(ring, (centre_x, centre_y))).buffer(-8).buffer(12))
    return river, lakes


def _settlement(rng: np.random.Generator, lakes: BaseGeometry) -> list[tuple[int, Ids]]:
    """Roads between villages, and houses beside them, clear of lakes."""
    spots = [(x, y) for x in range(130, COLUMNS, 250) for y in range(120, ROWS, 260)]
    villages = [Point(rng.uniform(-70, 70, 2) + spot) for spot in spots]
    villages = [village for village in villages if village.distance(lakes) > 40]
    places = cKDTree([(village.x, village.y) for village in villages])
    roads, streets = [], []
    for index, village in enumerate(villages):
        for other in places.query((village.x, village.y), k=4)[1][1:]:
            road = _bent(rng, village, villages[other])
            if index < other and not road.intersects(lakes):
                roads.append(road)
        for turn in rng.uniform(0, np.pi, 3):
            reach = np.array((np.cos(turn), np.sin(turn))) * rng.uniform(18, 34)
            here = np.array((village.x, village.y))
            streets.append(LineString([here - reach, here + reach]))
    houses = [house for street in streets for house in _houses(rng, street)]
    farms = [house for road in roads for house in _houses(rng, road, odds=0.04)]
    ways = [road.buffer(1.15) for road in roads] + [street.buffer(0.8) for street in streets]
    return [(ROAD, _burn(ways)), (HOUSE, _burn([*houses, *farms]))]


def _bent(rng: np.random.Generator, start: Point, end: Point) -> LineString:
    shares = np.linspace(0, 1, 7)
    way = np.outer(1 - shares, (start.x, start.y)) + np.outer(shares, (end.x, end.y))
    way[1:-1] += rng.normal(0, 7, (5, 2))
    return LineString(way)


def _houses(rng: np.random.Generator, street: LineString, odds: float = 0.8) -> list[Polygon]:
    """Rectangles of 2 to 4 px on both sides of a street."""
    found = []
    for distance in np.arange(3, street.length, 5.5):
        for side in (-1, 1):
            if rng.random() > odds:
                continue
            here, ahead = street.interpolate(distance), street.interpolate(distance + 0.5)
            turn = np.arctan2(ahead.y - here.y, ahead.x - here.x)
            gap = side * rng.uniform(3.6, 5.2)
            x, y = here.x - gap * np.sin(turn), here.y + gap * np.cos(turn)
            length, depth = rng.uniform(1.3, 2.3), rng.uniform(1.0, 1.5)
            found.append(rotate(box(x - length, y - depth, x + length, y + depth), np.degrees(turn)))
    return found


def _burn(things: list[Polygon]) -> Ids:
    """Numbers from 1 on, in pixel coordinates."""
    numbered = [(thing, number) for number, thing in enumerate(things, start=1)]
    return rasterize(numbered, (ROWS, COLUMNS), fill=0, dtype=np.int32)


def _light(rng: np.random.Generator, truth: Map, parcels: Ids, angle: NDArray[np.float64]) -> Map:
    """What a sensor sees: crops and rows, crowns, ripples, soft shadows of relief, blur, noise and faint stripes."""
    crop = rng.integers(0, len(CROPS), parcels.max() + 1)
    tone = rng.normal(1, 0.09, (parcels.max() + 1, 1)) * rng.normal(1, 0.025, (parcels.max() + 1, 3))
    color = (CROPS[crop] * tone)[parcels]
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    color *= (1 + 0.035 * np.sin((-x * np.sin(angle) + y * np.cos(angle)) * 2.1))[..., None]
    for code, rgb in GROUND.items():
        color[truth == code] = rgb
    grain = gaussian_filter(rng.normal(size=truth.shape), 0.9)
    strength = np.array([0, 0.05, 0.5, 0.05, 0.12, 0.35])[truth]
    slope = gaussian_filter(rng.normal(size=truth.shape), 60, mode="wrap")
    color *= (1 + strength * grain / grain.std() * 0.5 + 0.05 * slope / slope.std())[..., None]
    seen = gaussian_filter(color, (BLUR_PX, BLUR_PX, 0))
    seen += rng.normal(0, NOISE, seen.shape) + rng.normal(0, STRIPES, (1, COLUMNS, 3))
    return np.clip(seen, 1, 255).round().astype(np.uint8).transpose(2, 0, 1)


def _transform(row: int, column: int) -> Affine:
    return Affine(PIXEL_M, 0, WEST + column * PIXEL_M, 0, -PIXEL_M, NORTH - row * PIXEL_M)


def _write_tile(
    path: Path, values: Map, row: int, column: int, colors: dict[int, tuple[int, int, int]] | None = None
) -> None:
    tile = values[:, row : row + TILE_PX, column : column + TILE_PX]
    profile = {"driver": "GTiff", "dtype": "uint8", "count": len(tile), "width": TILE_PX, "height": TILE_PX}
    place = {"crs": CRS, "transform": _transform(row, column), "compress": "deflate", "tiled": True}
    with rasterio.open(path, "w", **profile, **place) as raster:
        raster.write(tile)
        if colors:
            raster.nodata = 0
            raster.write_colormap(1, {code: (*rgb, 255) for code, rgb in colors.items()})
