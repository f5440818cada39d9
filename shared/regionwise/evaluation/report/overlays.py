"""Overlays of the worst cases: errors of the prediction in three planes."""

import base64
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.image import imsave

from ...errors import InputError
from ...metrics import bounding_box
from ...nifti import read_header
from ..cases import Case
from ..measure import CaseResult, Row, mask_of
from ..reading import read_pair
from ..settings import EvaluationSettings
from ..structures import Structure

# Okabe and Ito's orange, sky blue and bluish green: distinct in any color vision.
FALSE_POSITIVE, FALSE_NEGATIVE, AGREED = (230, 159, 0), (86, 180, 233), (0, 158, 115)
MARGIN_MM = 12.0
PICTURE_PIXELS = 320
# Axis of RAS+ space that a plane is perpendicular to, its name, and what its left and upper edges show.
PLANES = ((2, "axial", "R", "A"), (1, "coronal", "R", "S"), (0, "sagittal", "A", "S"))


@dataclass(frozen=True)
class Picture:
    """One plane of one case.

    Attributes:
        png: The picture, base64.
        caption: Plane, slice and edges.
        description: What it shows, in words.
    """

    png: str
    caption: str
    description: str


@dataclass(frozen=True)
class WorstCase:
    """A case and its structure with the lowest Dice.

    Attributes:
        case: The case.
        row: Measures of that structure.
        pictures: Its planes; a 2-D image has one.
        scan_problem: Why the scan is not shown under the overlay; "" if it is shown or the case has none.
    """

    case: Case
    row: Row
    pictures: tuple[Picture, ...]
    scan_problem: str = ""


def worst_cases(
    results: Sequence[CaseResult], structures: Sequence[Structure], settings: EvaluationSettings, count: int
) -> list[WorstCase]:
    """Draw the cases with the lowest Dice of any structure, the worst first; of equal Dice the larger HD first.

    The files are read again, as keeping every case in memory would cost more.

    Args:
        results: Results of all cases.
        structures: Classes and regions.
        settings: Settings of the evaluation.
        count: Largest number of cases; cases without any error are left out.

    Returns:
        The cases with their pictures.
    """
    worst = [min(one.rows, key=lambda row: (row["dice"], -row["hd_mm"])) for one in results]
    order = sorted(range(len(results)), key=lambda i: (worst[i]["dice"], -worst[i]["hd_mm"], results[i].case.name))
    chosen = [index for index in order if worst[index]["dice"] < 1][:count]
    by_name = {one.name: one for one in structures}
    return [_draw(results[i].case, worst[i], by_name[str(worst[i]["structure"])], settings) for i in chosen]


def _draw(case: Case, row: Row, structure: Structure, settings: EvaluationSettings) -> WorstCase:
    volumes = read_pair(case, settings)
    masks = [mask_of(volume.array, structure) for volume in volumes]
    reference = volumes[1]
    margin = [int(np.ceil(MARGIN_MM / max(size, 1e-6))) for size in reference.spacing_mm]
    box = tuple(
        slice(max(side.start - extra, 0), side.stop + extra)
        for side, extra in zip(bounding_box(masks[0] | masks[1]), margin, strict=True)
    )
    scan, problem = np.zeros(masks[0][box].shape, np.float32), ""
    if case.image is not None:
        try:
            scan = read_scan(case.image, box, reference.array.shape)
        except InputError as error:
            problem = str(error)
    window = (0.0, 1.0) if case.image is None else _window(scan)
    arrays = [*(mask[box] for mask in masks), scan]
    # 2-D images get a third axis of one voxel.
    arrays = [array.reshape((*array.shape, 1, 1)[:3]) for array in arrays]
    offset = [side.start for side in (*box, slice(0, 1))[:3]]
    orientation = nib.io_orientation(reference.affine)
    shape = np.array((*reference.array.shape, 1)[:3])
    spacing_mm = nib.affines.voxel_sizes(reference.affine)
    ras = [nib.apply_orientation(array, orientation) for array in arrays]
    source = {int(axis): index for index, (axis, _) in enumerate(orientation)}
    pictures = []
    for axis, name, left, up in PLANES:
        across = [other for other in (0, 1, 2) if other != axis]
        if min(ras[0].shape[other] for other in across) < 2 and ras[0].ndim == 3 and shape.min() == 1:
            continue
        k = _slice_of_largest_error(ras[0], ras[1], axis)
        own = source[axis]
        flipped = orientation[own, 1] < 0
        number = offset[own] + (arrays[0].shape[own] - 1 - k if flipped else k)
        own_slice, truth, grey = (np.moveaxis(array, axis, 0)[k] for array in ras)  # take() copies such views
        rgb = _color(own_slice, truth, grey, window)
        rgb = _isotropic(rgb, [spacing_mm[source[other]] for other in across])
        caption = f"{name}, slice {number + 1} of {shape[own]}"
        text = f"{name} slice of {case.name}: errors of {structure.name}"
        pictures.append(
            Picture(_png(rgb[::-1, ::-1].swapaxes(0, 1)), f"{caption}; left edge {left}, upper edge {up}", text)
        )
    return WorstCase(case, row, tuple(pictures), problem)


def read_scan(path: Path, box: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Read a part of a scan, float32; of several channels the first.

    Raises:
        InputError: If the scan does not fit the shape of the reference, or cannot be read.
    """
    header = read_header(path)
    if header.shape[: len(shape)] != shape:
        raise InputError(f"the scan {path} has shape {header.shape}, the reference has {shape}")
    channel = (0,) * (len(header.shape) - len(shape))
    try:
        return np.asarray(header.dataobj[(*box, *channel)], dtype=np.float32)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(f"the scan {path} is damaged or truncated ({error}); re-copy it") from error


def _slice_of_largest_error(prediction: np.ndarray, reference: np.ndarray, axis: int) -> int:
    others = tuple(other for other in range(3) if other != axis)
    return int((prediction ^ reference).sum(axis=others).argmax())


def _window(scan: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(scan, (1, 99))
    return float(low), float(max(high, low + 1e-6))


def _color(prediction: np.ndarray, reference: np.ndarray, scan: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Return RGB: the scan in gray, errors in color, agreement as a veil."""
    gray = np.clip((scan - window[0]) / (window[1] - window[0]), 0, 1) * 200
    rgb = np.repeat(gray[..., None], 3, axis=-1)
    parts = (
        (prediction & reference, AGREED, 0.45),
        (prediction & ~reference, FALSE_POSITIVE, 0.8),
        (~prediction & reference, FALSE_NEGATIVE, 0.8),
    )
    for mask, color, weight in parts:
        rgb[mask] = (1 - weight) * rgb[mask] + weight * np.array(color)
    return rgb.astype(np.uint8)


def _isotropic(rgb: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Repeat pixels so that both axes have one scale and the longer side about `PICTURE_PIXELS`."""
    size_mm = np.array(rgb.shape[:2]) * spacing_mm
    pixels = np.maximum(np.round(size_mm / size_mm.max() * PICTURE_PIXELS).astype(int), 1)
    rows, columns = (np.arange(n) * size // n for n, size in zip(pixels, rgb.shape[:2], strict=True))
    return rgb[np.ix_(rows, columns)]


def _png(rgb: np.ndarray) -> str:
    file = io.BytesIO()
    without: dict[str, Any] = {"Software": None}  # None leaves the entry out
    imsave(file, np.ascontiguousarray(rgb), format="png", metadata=without)
    return base64.b64encode(file.getvalue()).decode()
