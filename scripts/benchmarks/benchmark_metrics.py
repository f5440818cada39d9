"""Speed and memory of the metrics against MONAI and surface-distance: python scripts/benchmarks/benchmark_metrics.py

Prints ratios of medians of interleaved runs, the peak memory of a KiTS-sized case and the time of 100 ACDC-sized cases;
surface-distance is left out where it is not installed. With --noise [SHAPE]: time and memory of all measures of two
masks of pure noise, the worst prediction there is for surface distances, and of their whole report.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from _timing import machine
from regionwise.nifti import write_volume
from scipy import ndimage

ACDC = ((256, 216, 10), (1.5, 1.5, 8.0), 4)
BRATS = ((240, 240, 155), (1.0, 1.0, 1.0), 4)
KITS = ((600, 512, 512), (0.8, 0.8, 0.8), 3)
TOLERANCE_MM = 2.0


def phantom(shape: tuple[int, ...], classes: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Return nested rough ellipsoids, as large as the structures of the datasets; ``shift`` makes a prediction."""
    rough = ndimage.zoom(np.random.default_rng(seed).standard_normal([max(n // 12, 2) for n in shape]), 12, order=1)
    labels = np.zeros(shape, np.uint8)
    # Slice by slice, so that making the KiTS-sized phantom does not need more memory than measuring it.
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for k in range(shape[2]):
        radius = (
            ((rows - shape[0] / 2 - shift) / shape[0]) ** 2
            + ((columns - shape[1] / 2) / shape[1]) ** 2
            + ((k - shape[2] / 2) / shape[2]) ** 2
        ) ** 0.5
        noise = rough[:, :, min(k, rough.shape[2] - 1)]
        noise = np.pad(noise, [(0, max(n - m, 0)) for n, m in zip(shape[:2], noise.shape, strict=True)], mode="edge")
        radius = radius + 0.012 * noise[: shape[0], : shape[1]]
        for label in range(1, classes):
            labels[..., k][radius < 0.24 * (1 - (label - 1) / classes)] = label
    return labels


def rivals(shape, spacing_mm, classes):
    """Return the ways to get HD, HD95, ASSD and NSD of every class of one case, by name."""
    import torch
    from monai import metrics as monai_metrics
    from regionwise.metrics import measure_structure

    prediction, reference = phantom(shape, classes, 1, shift=3), phantom(shape, classes, 2)
    one_hot = [
        torch.stack([torch.from_numpy(one == c) for c in range(classes)])[None] for one in (prediction, reference)
    ]

    def ours():
        for label in range(1, classes):
            measure_structure(prediction == label, reference == label, spacing_mm, (TOLERANCE_MM,))

    def monai():
        monai_metrics.compute_hausdorff_distance(*one_hot, spacing=spacing_mm)
        monai_metrics.compute_hausdorff_distance(*one_hot, percentile=95, spacing=spacing_mm)
        monai_metrics.compute_average_surface_distance(*one_hot, symmetric=True, spacing=spacing_mm)
        monai_metrics.compute_surface_dice(*one_hot, [TOLERANCE_MM] * (classes - 1), spacing=spacing_mm)

    def surface_distance():
        import surface_distance as deepmind

        for label in range(1, classes):
            found = deepmind.compute_surface_distances(reference == label, prediction == label, spacing_mm)
            deepmind.compute_robust_hausdorff(found, 100)
            deepmind.compute_robust_hausdorff(found, 95)
            deepmind.compute_average_surface_distance(found)
            deepmind.compute_surface_dice_at_tolerance(found, TOLERANCE_MM)

    return [ours, monai, *([surface_distance] if find_spec("surface_distance") else [])]


def speed(name: str, setup: tuple, repeats: int) -> None:
    """Print median, minimum and maximum of each way, and the ratio of its median to ours."""
    ways = rivals(*setup)
    times = {way.__name__: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            start = time.perf_counter()
            way()
            times[way.__name__].append(time.perf_counter() - start)
    ours = median(times["ours"])
    for way, seconds in times.items():
        spread = f"{min(seconds) * 1e3:.0f}-{max(seconds) * 1e3:.0f}"
        print(f"{name:<6}{way:<18}{median(seconds) * 1e3:9.1f} ms  ({spread})  {median(seconds) / ours:6.1f} x ours")


def write_cases(folder: Path, setup: tuple, count: int) -> None:
    """Write ``count`` cases as predictions and references; four phantoms under different names."""
    shape, spacing_mm, classes = setup
    affine = np.diag([*spacing_mm, 1])
    for index in range(min(count, 4)):
        for side, shift in (("predictions", 2 + index), ("references", 0)):
            write_volume(folder / side / f"case{index}.nii.gz", phantom(shape, classes, index, shift), affine)
    for index in range(4, count):
        for side in ("predictions", "references"):
            (folder / side / f"case{index}.nii.gz").symlink_to(folder / side / f"case{index % 4}.nii.gz")


def peak_memory(folder: Path) -> None:
    """Print the peak memory of a fresh process that measures one KiTS-sized case."""
    write_cases(folder, KITS, 1)
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(folder)], capture_output=True, text=True, check=True
    )
    print(f"KiTS  one case of {' x '.join(map(str, KITS[0]))}: {done.stdout.strip()}")


def measure(folder: Path) -> None:
    """Measure case0 of a folder and print time and peak memory of this process."""
    from regionwise.evaluation import Case, EvaluationSettings, named_classes
    from regionwise.evaluation.measure import measure_case

    start = time.perf_counter()
    case = Case("case0", folder / "predictions" / "case0.nii.gz", folder / "references" / "case0.nii.gz")
    rows = measure_case(case, EvaluationSettings(classes=named_classes("kidney,tumor"))).rows
    seconds = time.perf_counter() - start
    # ru_maxrss would be that of the process which started this one, if that was larger.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(f"{int(status['VmHWM'].split()[0]) / 2**20:.2f} GiB peak, {seconds:.1f} s, Dice {rows[0]['dice']:.3f}")


def noise(folder: Path, shape: tuple[int, int, int] = (512, 512, 600)) -> None:
    """Print time and peak memory of all standard measures of two masks that are noise, then of their whole report."""
    case = " x ".join(map(str, shape))
    for name in ("measures", "report"):
        command = [sys.executable, __file__, f"--noise_{name}", str(folder), *map(str, shape)]
        print(f"noise of {case}, {name}: {subprocess.run(command, capture_output=True, text=True, check=True).stdout}")


def noise_masks(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return two masks that are True in every second voxel at random."""
    rng = np.random.default_rng(0)
    return [np.stack([rng.random(shape[1:], dtype=np.float32) < 0.5 for _ in range(shape[0])]) for _ in range(2)]


def noise_measures(shape: tuple[int, ...]) -> None:
    """Print time and peak memory of all standard measures of noise."""
    from regionwise.metrics import measure_structure

    masks = noise_masks(shape)
    with used():
        measure_structure(*masks, (0.8, 0.8, 0.8), (TOLERANCE_MM,))


def noise_report(folder: Path, shape: tuple[int, ...]) -> None:
    """Print time and peak memory of the evaluation of noise, from files to report."""
    from regionwise.evaluation import Case, EvaluationSettings, evaluate_cases, named_classes

    paths = [folder / f"{name}.nii.gz" for name in ("prediction", "reference")]
    for path, mask in zip(paths, noise_masks(shape), strict=True):
        write_volume(path, mask.view(np.uint8), np.diag([0.8, 0.8, 0.8, 1]))
    del mask
    with used(), contextlib.redirect_stdout(None):
        evaluate_cases([Case("noise", *paths)], folder / "out", EvaluationSettings(classes=named_classes("one")))


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Print how long a block took and the peak memory of this process."""
    start, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 2**20
    print(f"{seconds:.1f} s, {cpu:.1f} s of CPU, {peak:.2f} GiB peak")


def many_cases(folder: Path, count: int = 100) -> None:
    """Print the time of the whole command on ACDC-sized cases, from files to report."""
    write_cases(folder, ACDC, count)
    command = [sys.executable, "-m", "regionwise", "evaluate", "--classes", "RV,Myo,LV", "--out", str(folder / "out")]
    command += ["--predictions", str(folder / "predictions"), "--references", str(folder / "references")]
    start = time.perf_counter()
    subprocess.run([*command, "--workers", "2"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"ACDC  {count} cases, 2 processes, with report: {time.perf_counter() - start:.1f} s")


def main() -> None:
    """Print everything."""
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
        return
    if sys.argv[1:2] == ["--noise_measures"]:
        noise_measures(tuple(map(int, sys.argv[3:])))
        return
    if sys.argv[1:2] == ["--noise_report"]:
        noise_report(Path(sys.argv[2]), tuple(map(int, sys.argv[3:])))
        return
    if sys.argv[1:2] == ["--noise"]:
        print(machine())
        with tempfile.TemporaryDirectory() as folder:
            noise(Path(folder), tuple(map(int, sys.argv[2:])) or (512, 512, 600))
        return
    warnings.filterwarnings("ignore", category=FutureWarning)
    print(machine())
    print("HD + HD95 + ASSD + NSD of all classes of a case, medians of interleaved runs (min-max):")
    speed("ACDC", ACDC, 11)
    speed("BraTS", BRATS, 5)
    with tempfile.TemporaryDirectory() as folder:
        peak_memory(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        many_cases(Path(folder))


if __name__ == "__main__":
    main()
