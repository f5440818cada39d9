"""Distance of each voxel of one boundary to another boundary, exact, by whichever of three ways costs least."""

from itertools import product

import edt
import numpy as np
from scipy.spatial import cKDTree

# Coordinates take several times the memory of the distances.
_QUERIES_AT_ONCE = 1 << 20

# CPU time of a KD-tree per point that it holds and per point that asks it, and of a distance transform per voxel, in
# ns (Intel Xeon, SciPy 1.17, edt 3.1); the ratios matter. The other ways are in float32: a search that takes less than
# _CHEAP_NS is made in any case, so that ordinary masks keep float64.
_POINT_NS, _QUERY_NS, _VOXEL_NS = 120, 1000, 50
_CHEAP_NS = 300e6

# Neighbors that are looked at one by one: the nearest ones of a cube of 7 voxels. Where a tenth of all voxels are on
# the boundary, one in a million has none among them.
_REACH, _NEIGHBORS = 3, 128
_VOXELS_AT_ONCE = 1 << 21


def nearest_mm(own: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Distance of each voxel of one mask to the nearest voxel of another.

    A KD-tree is searched if that is cheap, as for the boundaries of ordinary masks. If not, neighbors are looked up in
    the order of their distance, which finds all voxels at once where both masks are dense, as noise is; where it does
    not, a distance transform is made, whose time depends on nothing but the size of the array.

    Args:
        own: Bool array, 2-D or 3-D, not empty.
        other: Bool array of the same shape; at least one voxel is True.
        spacing_mm: Voxel size along each axis, in mm.

    Returns:
        One distance in mm per voxel of ``own``, in C order: float64 from a search, float32 otherwise.
    """
    apart = int(np.count_nonzero(own & ~other))
    search_ns = _POINT_NS * np.count_nonzero(other) + _QUERY_NS * apart
    if search_ns <= max(_VOXEL_NS * own.size, _CHEAP_NS):
        return _searched_mm(own, other, spacing_mm)
    found = _looked_up_mm(own, other, spacing_mm)
    return _transformed_mm(own, other, spacing_mm) if found is None else found


def _searched_mm(own: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    distances_mm = np.zeros(np.count_nonzero(own))
    # A voxel of both is at distance 0, so only the others have to be looked up.
    queries, places = np.flatnonzero(own & ~other), np.flatnonzero(~other[own])
    if len(queries):
        points_mm = _points_mm(np.flatnonzero(other), other.shape, spacing_mm)
        tree = cKDTree(points_mm, leafsize=24, balanced_tree=False, compact_nodes=False)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = slice(start, start + _QUERIES_AT_ONCE)
            distances_mm[places[some]] = tree.query(_points_mm(queries[some], own.shape, spacing_mm))[0]
    return distances_mm


def _points_mm(index: np.ndarray, shape: tuple[int, ...], spacing_mm: np.ndarray) -> np.ndarray:
    return np.stack(np.unravel_index(index, shape), axis=1) * spacing_mm


def _transformed_mm(own: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    outside = np.ascontiguousarray(~other).view(np.uint8)
    distances_mm = edt.edt(outside, anisotropy=tuple(spacing_mm), black_border=False, parallel=0)
    del outside  # its memory is needed for the result
    return distances_mm[own]


def _looked_up_mm(own: np.ndarray, other: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray | None:
    """Return the distances, or None once a voxel has no neighbor that is near enough."""
    offsets, lengths_mm = _neighbors(spacing_mm)
    distances_mm, filled = np.zeros(np.count_nonzero(own), np.float32), 0
    step = max(1, _VOXELS_AT_ONCE // own[0].size)
    for start in range(0, len(own), step):
        stop = min(start + step, len(own))
        first, last = max(0, start - _REACH), min(len(own), stop + _REACH)
        rest = [(_REACH, _REACH)] * (own.ndim - 1)
        around = np.pad(other[first:last], [(first - start + _REACH, stop + _REACH - last), *rest])
        here, common = own[start:stop], other[start:stop]
        voxels = np.flatnonzero(np.pad(here & ~common, _REACH))
        places = filled + np.flatnonzero(~common[here])
        flat, strides = around.reshape(-1), around.strides  # in voxels: a voxel is one byte
        for offset, length_mm in zip(offsets @ strides, lengths_mm, strict=True):
            if not len(voxels):
                break
            hit = flat[voxels + offset]
            distances_mm[places[hit]] = length_mm
            voxels, places = voxels[~hit], places[~hit]
        if len(voxels):
            return None
        filled += int(np.count_nonzero(here))
    return distances_mm


def _neighbors(spacing_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets of the nearest neighbors, nearest first, and their lengths; none between them is left out."""
    offsets = np.array(list(product(range(-_REACH, _REACH + 1), repeat=len(spacing_mm))))
    lengths_mm = np.linalg.norm(offsets * spacing_mm, axis=1)
    order = np.argsort(lengths_mm, kind="stable")[1:]  # the first is the voxel itself
    # Beyond this length lie neighbors that the cube does not hold.
    order = order[lengths_mm[order] < (_REACH + 1) * spacing_mm.min()][:_NEIGHBORS]
    return offsets[order], lengths_mm[order]
