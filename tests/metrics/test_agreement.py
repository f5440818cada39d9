"""Agreement with other tools where the definitions agree, and the numbers of README.md where they do not."""

import numpy as np
import pytest
import torch
from monai import metrics as monai_metrics
from regionwise.metrics import assd_mm, boundary, hausdorff_mm, measure_structure, surface_dice, surface_distances

from .masks import blob, mask_of

SPACING = (1.0, 1.5, 6.0)
PAIRS = [(1, 2), (3, 4), (5, 6)]


def batch(mask):
    return torch.from_numpy(mask)[None, None]


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy")
@pytest.mark.parametrize("seeds", PAIRS)
def test_monai(seeds):
    one, two = map(blob, seeds)
    ours = measure_structure(one, two, SPACING, tolerances_mm=(2,))
    pair = batch(one), batch(two)
    assert ours["dice"] == pytest.approx(monai_metrics.compute_dice(*pair).item())
    assert ours["jaccard"] == pytest.approx(monai_metrics.compute_iou(*pair).item())
    for percentile, name in ((None, "hd_mm"), (95, "hd95_mm")):
        theirs = monai_metrics.compute_hausdorff_distance(
            *pair, include_background=True, percentile=percentile, spacing=SPACING
        )
        assert ours[name] == pytest.approx(theirs.item(), rel=1e-6)
    theirs = monai_metrics.compute_average_surface_distance(
        *pair, include_background=True, symmetric=True, spacing=SPACING
    )
    assert ours["assd_mm"] == pytest.approx(theirs.item(), rel=1e-6)
    theirs = monai_metrics.compute_surface_dice(*pair, [2], include_background=True, spacing=SPACING)
    assert ours["nsd_2mm"] == pytest.approx(theirs.item(), rel=1e-6)


@pytest.mark.parametrize("seeds", PAIRS)
def test_simple_itk(seeds):
    sitk = pytest.importorskip("SimpleITK")
    one, two = map(blob, seeds)
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (one, two)]
    for image in images:
        image.SetSpacing(SPACING[::-1])
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    ours = measure_structure(one, two, SPACING)
    assert ours["dice"] == pytest.approx(overlap.GetDiceCoefficient())
    assert ours["jaccard"] == pytest.approx(overlap.GetJaccardCoefficient())
    # ITK measures from all voxels of a mask, not from its boundary; from the boundaries as masks it is the same.
    boundaries = [sitk.GetImageFromArray(boundary(mask).astype(np.uint8)) for mask in (one, two)]
    for image in boundaries:
        image.SetSpacing(SPACING[::-1])
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(*boundaries)
    assert ours["hd_mm"] == pytest.approx(hausdorff.GetHausdorffDistance(), rel=1e-6)


def test_simple_itk_does_not_see_a_hole():
    """A hollow cube against a solid one: the hole's wall is 3 mm from the solid's boundary, but inside the solid."""
    sitk = pytest.importorskip("SimpleITK")
    solid = mask_of((11, 11, 11), (slice(1, 10),) * 3)
    hollow = solid & ~mask_of((11, 11, 11), (5, 5, 5))
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (hollow, solid)))
    assert hausdorff.GetHausdorffDistance() == 1
    assert hausdorff_mm(surface_distances(hollow, solid, (1, 1, 1)), diagonal_mm=0) == 3


def test_surface_distance_agrees_on_axis_aligned_boxes():
    """Two equal cubes, 3 voxels apart along one axis: both tools see the same maximum."""
    deepmind = pytest.importorskip("surface_distance")
    one = mask_of((20, 12, 12), (slice(2, 8), slice(3, 9), slice(3, 9)))
    two = np.roll(one, 3, axis=0)
    theirs = deepmind.compute_surface_distances(two, one, (2.0, 1.0, 1.0))
    ours = surface_distances(one, two, (2.0, 1.0, 1.0))
    assert hausdorff_mm(ours, 0) == deepmind.compute_robust_hausdorff(theirs, 100) == 6


@pytest.mark.parametrize("seeds", PAIRS)
def test_surface_distance_is_near_on_rough_masks(seeds):
    """Its surface elements lie between voxels, ours are voxels: distances differ by at most one voxel diagonal."""
    deepmind = pytest.importorskip("surface_distance")
    one, two = map(blob, seeds)
    theirs = deepmind.compute_surface_distances(two, one, SPACING)
    ours = surface_distances(one, two, SPACING)
    diagonal_mm = float(np.linalg.norm(SPACING))
    assert abs(hausdorff_mm(ours, 0) - deepmind.compute_robust_hausdorff(theirs, 100)) <= diagonal_mm
    directed = deepmind.compute_average_surface_distance(theirs)
    assert abs(assd_mm(ours, 0) - np.mean(directed)) <= diagonal_mm
    theirs_at = deepmind.compute_surface_dice_at_tolerance(theirs, 1000)
    assert surface_dice(ours, 1000) == theirs_at == 1


def test_hd95_is_not_one_thing():
    """The same masks, three definitions (README.md): larger directed percentile, pooled, directed by mean."""
    one = mask_of((1, 60), (0, slice(0, 10)))
    two = mask_of((1, 60), (0, slice(0, 10)), (0, 59))
    surfaces = surface_distances(one, two, (1, 1))
    pooled = np.percentile(np.concatenate([surfaces.to_reference_mm, surfaces.to_prediction_mm]), 95)
    assert hausdorff_mm(surfaces, 0, percentile=95) == pytest.approx(25)
    assert pooled == pytest.approx(0, abs=1e-9)
