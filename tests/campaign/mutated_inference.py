"""Mutated scans through inference.json and ensemble.json of a bundle, many at once."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from .. import odd_scans
from ..packaging.packing import write_run
from ..run_bundles.running import Result, Run, config, evaluate_here, infer_here
from .mutated_scans import Mutant, find_damage, mutate
from .trial import Trial

WAYS = {"inference.json": ".", "ensemble.json": "predictions"}


def try_inference(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of ``count`` mutated scans for each way to segment: each is named, or segmented in its space."""
    folder.mkdir(parents=True)
    run = Run("acdc", folder, write_run(folder / "run"), folder, Result(0, "", ""))
    for way, where in WAYS.items():
        scans, out = folder / f"scans_{way}", folder / f"out_{way}"
        scans.mkdir()
        paths = [odd_scans.save(scans / f"scan{number:04}.nii.gz") for number in range(count)]
        mutants = [mutate(random, path) for path in paths]
        odd_scans.save(scans / "sound.nii.gz")
        before = {path: path.read_bytes() for path in paths}
        result = segment(run, way, scans, out)
        if "Traceback" in result.err or not (out / where / "sound.nii.gz").is_file():
            yield Trial(f"mutated files: {way}", f"a folder of {count} mutated scans", f"stopped: {result.err[-500:]}")
            continue
        told = [line for line in result.err.splitlines() if line.startswith("not segmented: ")]
        for mutant in mutants:
            problem = find_mistake(mutant, out / where / mutant.path.name, told)
            if mutant.path.read_bytes() != before[mutant.path]:
                problem = "data loss: the scan has changed"
            yield Trial(f"mutated files: {way}", f"{mutant.path.name}: {mutant.how}", problem)


def segment(run: Run, way: str, scans: Path, out: Path) -> Result:
    """Segment a folder of scans by a configuration."""
    if way == "inference.json":
        return infer_here(run, scans, out, **{"preprocessing#transforms#2#pixdim": [3.0, 3.0, -1]})
    settings = {"input": scans, "tta": "false", "preprocessing#transforms#1#pixdim": [3.0, 3.0, -1]}
    return evaluate_here(run, out, config(run.bundle, "ensemble"), run_id="predicting", **settings)


def find_mistake(mutant: Mutant, labels: Path, told: list[str]) -> str:
    """Return what is wrong with a scan that was named as not segmented, or with its label map."""
    named = any(str(mutant.path) in line for line in told)
    if named == labels.exists():
        return "named and segmented" if named else "neither named nor segmented"
    return "" if named else find_damage(mutant.path, "image") or find_displacement(labels, mutant.path)


def find_displacement(labels: Path, scan: Path) -> str:
    """Return how a label map lies elsewhere than its scan."""
    found, image = nib.load(labels), nib.load(scan)
    if found.shape != image.shape:
        return f"a label map of shape {found.shape} for a scan of {image.shape}"
    return "" if np.allclose(found.affine, image.affine, atol=1e-3) else "a label map with another affine than the scan"
