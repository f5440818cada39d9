"""Mutated scans through inference.json and ensemble.json of a bundle, many at once."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from .. import odd_scans
from ..packaging.packing import write_run
from ..run_bundles.running import Result, Run, config, evaluate_here, infer_here
from .mutated_scans import find_damage, mutate
from .trial import Trial

WAYS = {"inference.json": ".", "ensemble.json": "predictions"}


def try_inference(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of mutated scans, ``count`` for each way to segment: named and left out, or segmented on its voxels."""
    folder.mkdir(parents=True)
    run = Run("acdc", folder, write_run(folder / "run"), folder, Result(0, "", ""))
    for way, where in WAYS.items():
        scans = folder / f"scans_{way}"
        scans.mkdir()
        paths = [odd_scans.save(scans / f"scan{number:04}.nii.gz") for number in range(count)]
        mutants = [mutate(random, path) for path in paths]
        odd_scans.save(scans / "sound.nii.gz")
        before = {path: path.read_bytes() for path in scans.iterdir()}
        result = segment(run, way, scans, folder / f"out_{way}")
        labels = folder / f"out_{way}" / where
        if "Traceback" in result.err or not (labels / "sound.nii.gz").is_file():
            yield Trial(f"mutated files: {way}", f"a folder of {count} mutated scans", f"stopped: {result.err[-500:]}")
            continue
        for mutant in mutants:
            written = labels / mutant.path.name
            named = any(
                str(mutant.path) in line for line in result.err.splitlines() if line.startswith("not segmented")
            )
            problem = "" if named else "neither segmented nor named"
            if named and written.exists():
                problem = "named as not segmented, but there is a label map"
            elif written.exists():
                problem = find_damage(mutant.path, "image") or find_displacement(written, mutant.path)
            if mutant.path.read_bytes() != before[mutant.path]:
                problem = "data loss: the scan has changed"
            yield Trial(f"mutated files: {way}", f"{mutant.path.name}: {mutant.how}", problem)


def segment(run: Run, way: str, scans: Path, out: Path) -> Result:
    """Segment a folder of scans by a configuration."""
    if way == "inference.json":
        return infer_here(run, scans, out, **{"preprocessing#transforms#2#pixdim": [3.0, 3.0, -1]})
    settings = {"input": scans, "tta": "false", "preprocessing#transforms#1#pixdim": [3.0, 3.0, -1]}
    return evaluate_here(run, out, config(run.bundle, "ensemble"), run_id="predicting", **settings)


def find_displacement(labels: Path, scan: Path) -> str:
    """Return how a label map lies elsewhere than its scan."""
    found, image = nib.load(labels), nib.load(scan)
    if found.shape != image.shape:
        return f"a label map of shape {found.shape} for a scan of {image.shape}"
    return "" if np.allclose(found.affine, image.affine, atol=1e-3) else "a label map with another affine than the scan"
