"""Write a synthetic dataset in the layout of a real one: ``python -m regionwise phantom``."""

from pathlib import Path

import numpy as np

from ..errors import InputError, did_you_mean
from ..files import atomic_folder
from . import acdc, brats, kits, msd

PHANTOMS = {"acdc": acdc, "brats": brats, "kits": kits, "msd": msd}
PRESETS = "full", "small", "hard"


def phantom(
    dataset: str, out: str, subjects: int = 16, seed: int = 0, size: int | None = None, preset: str = "full"
) -> None:
    """Write a synthetic dataset in the layout of a real one: for tests, demonstrations and a first run.

    The anatomy is drawn from ellipses and smooth contours with partial volume, noise, a bias field and a contrast that
    differ between subjects. Results on it show that the software works; they say nothing about patients.

    Args:
        dataset: acdc, brats, kits or msd.
        out: the folder to write, new or empty.
        subjects: number of subjects.
        seed: the same seed gives the same files, byte by byte; a subject does not depend on how many there are.
        size: voxels along the longer in-plane axis, at an unchanged field of view (a default per dataset).
        preset: ``full`` has the field of view, the grid and the class fractions of the real dataset; ``small``, for
            tests of seconds, has a coarse grid, and in ACDC a close-up of the heart; ``hard``, ACDC only, adds cavities
            that look like the left ventricle, faint walls and textured tissue.

    Raises:
        InputError: If the dataset or the preset is unknown, a number is out of range, or ``out`` is not empty.
    """
    if dataset not in PHANTOMS:
        raise InputError(f"Unknown dataset '{dataset}'; {did_you_mean(dataset, PHANTOMS)}")
    if preset not in PRESETS:
        raise InputError(f"Unknown preset '{preset}'; {did_you_mean(preset, PRESETS)}")
    if preset == "hard" and dataset != "acdc":
        raise InputError(f"The preset 'hard' exists for acdc only, found --dataset {dataset}; choose full or small")
    for name, value, lowest in (("subjects", subjects, 1), ("seed", seed, 0), ("size", size, 32)):
        if value is None and name == "size":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise InputError(f"expected {name} to be an integer >= {lowest}, found {value!r}")
    folder = Path(str(out)).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"expected --out to be a new or an empty folder, found {folder}; choose another one")
    generator = PHANTOMS[dataset]
    with atomic_folder(folder) as temporary:
        for number in range(1, subjects + 1):
            generator.write_subject(temporary, number, np.random.default_rng([seed, number]), size, preset)
        if hasattr(generator, "finish"):
            generator.finish(temporary)
        if folder.exists():
            folder.rmdir()
    print(f"{subjects} synthetic subjects in the layout of {dataset}: {folder}")
