"""Mutated NIfTI files through the commands and loaders that read scans and label maps."""

import csv
import gzip
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from regionwise import cli
from regionwise.data import LoadCased
from regionwise.errors import InputError
from regionwise.scans import find_scan_problems

from .. import odd_scans
from .label_maps import labels, read_independently, write_labels
from .trial import Trial, run

SLOWEST_S = 30.0
FIELDS = nib.nifti1.header_dtype.fields
_NUMBERS = (0, 1, -1, 2, 127, -128, 255, 256, 32767, -32768, 2**31 - 1)
_FLOATS = (0.0, -1.0, 1e-30, 1e-6, 0.5, 1e6, 1e30, 3e38, float("nan"), float("inf"), -float("inf"))

Mutation = Callable[[np.random.Generator, bytes], tuple[str, bytes]]


@dataclass(frozen=True)
class Mutant:
    """A mutated file.

    Attributes:
        path: The file.
        how: What was done to it.
    """

    path: Path
    how: str


def flip_bits(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Flip one to eight bits of the compressed file."""
    changed, places = bytearray(content), random.integers(len(content), size=int(random.integers(1, 9)))
    for place in places:
        changed[place] ^= 1 << int(random.integers(8))
    return f"bits flipped in bytes {sorted(map(int, places))}", bytes(changed)


def cut(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Keep the first part of the compressed file."""
    length = int(random.integers(len(content)))
    return f"cut to {length} bytes", content[:length]


def cut_voxels(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Keep the first part of what was compressed, in a whole .gz."""
    plain = gzip.decompress(content)
    length = int(random.integers(len(plain)))
    return f"voxels cut to {length} bytes", gzip.compress(plain[:length])


def append(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Append bytes to the compressed file."""
    more = random.bytes(int(random.integers(1, 200)))
    return f"{len(more)} bytes appended", content + more


def scramble_header(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Overwrite one to four bytes of the header, in a whole .gz."""
    plain = bytearray(gzip.decompress(content))
    places = random.integers(352, size=int(random.integers(1, 5)))
    for place in places:
        plain[place] = int(random.integers(256))
    return f"header bytes {sorted(map(int, places))} overwritten", gzip.compress(bytes(plain))


def set_field(random: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Set an element of a header field to a value at the edge of its type, in a whole .gz."""
    plain = bytearray(gzip.decompress(content))
    name = str(random.choice([name for name, (kind, *_) in FIELDS.items() if kind.base.kind in "iuf"]))
    kind, place = FIELDS[name][:2]
    element = int(random.integers(max(1, int(np.prod(kind.shape)))))
    value = random.choice(_FLOATS if kind.base.kind == "f" else _NUMBERS)
    with np.errstate(over="ignore"):
        encoded = np.asarray(value).astype(kind.base).tobytes()
    start = place + element * len(encoded)
    plain[start : start + len(encoded)] = encoded
    return f"{name}[{element}] = {value}", gzip.compress(bytes(plain))


MUTATIONS: tuple[Mutation, ...] = (flip_bits, cut, cut_voxels, append, scramble_header, set_field, set_field)


def mutate(random: np.random.Generator, path: Path) -> Mutant:
    """Mutate a file in place."""
    how, content = MUTATIONS[int(random.integers(len(MUTATIONS)))](random, path.read_bytes())
    path.write_bytes(content)
    return Mutant(path, how)


def try_scans(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of mutated files, ``count`` for each reader, and of every odd scan of ``tests/odd_scans.py``."""
    for side in ("predictions", "references"):
        yield from try_evaluate(random, count, folder / f"evaluate_{side}", side)
    for part in ("image", "label"):
        yield from try_check(random, count, folder / f"check_{part}", part)
        yield from try_loader(random, count, folder / f"load_{part}", part)
    yield from try_odd_scans(folder / "odd")


def try_evaluate(random: np.random.Generator, count: int, folder: Path, side: str) -> Iterator[Trial]:
    """Yield trials of `evaluate` with many mutated label maps at once: each is named as bad, or measured right."""
    mutants = {}
    for name in ("predictions", "references"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        case = f"case{number:04}"
        for name, array in (("predictions", np.roll(labels(number), 1, axis=1)), ("references", labels(number))):
            write_labels(folder / name / f"{case}.nii.gz", array)
        mutants[case] = mutate(random, folder / side / f"{case}.nii.gz")
    for name in ("predictions", "references"):
        write_labels(folder / name / "sound.nii.gz", labels(0))
    words = ["evaluate", str(folder / "predictions"), str(folder / "references"), "--out", str(folder / "out")]
    ending = run(cli.main, [*words, "--workers", "1", "--skip_bad", "--classes", "one,two"])
    area = f"mutated files: evaluate ({side[:-1]})"
    if ending.status or ending.crash:
        yield Trial(area, " ".join(words), ending.crash or ending.err)
        return
    with (folder / "out" / "cases.csv").open() as file:
        rows = {(row["case"], row["structure"]): row for row in csv.DictReader(file)}
    for case, mutant in mutants.items():
        measured = [rows[case, structure] for structure in ("one", "two") if (case, structure) in rows]
        problem = find_wrong_dice(folder, case, [float(row["dice"]) for row in measured]) if measured else ""
        yield Trial(area, f"{mutant.path}: {mutant.how}", problem)


def find_wrong_dice(folder: Path, case: str, dice: list[float]) -> str:
    """Return how the Dice of labels 1 and 2 differs from that of the arrays as another reader has them."""
    try:
        pair = [
            read_independently(folder / side / f"{case}.nii.gz").get_fdata() for side in ("predictions", "references")
        ]
    except Exception as error:  # noqa: BLE001 (whatever an independent reader raises about a damaged file)
        return f"measured, but another reader finds it damaged: {error}"
    expected = []
    for label in (1, 2):
        first, second = (array == label for array in pair)
        size = first.sum() + second.sum()
        expected.append(2 * (first & second).sum() / size if size else 1.0)
    return "" if np.allclose(dice, expected, atol=1e-6) else f"wrong number: Dice {dice}, expected {expected}"


def try_check(random: np.random.Generator, count: int, folder: Path, part: str) -> Iterator[Trial]:
    """Yield trials of `check` on a dataset with many mutated files at once: none hides another."""
    mutants = []
    write_tasks(folder, count)
    for number in range(count):
        side = {"image": "imagesTr", "label": "labelsTr"}[part]
        mutants.append(mutate(random, folder / side / f"hippocampus_{number:04}.nii.gz"))
    ending = run(cli.main, ["check", "--dataset", "msd", "--dir", str(folder)])
    area = f"mutated files: check ({part})"
    counted = re.search(r"^(\d+) cases of (\d+) subjects: ", ending.out, re.MULTILINE)
    if ending.crash or counted is None or int(counted.group(1)) < count:
        yield Trial(area, f"regionwise check --dataset msd --dir {folder}", ending.crash or f"stopped: {ending.err}")
        return
    told = [line for line in ending.out.splitlines() if line.startswith("error: ")]
    for mutant in mutants:
        named = any(str(mutant.path) in line for line in told)
        yield Trial(area, f"{mutant.path}: {mutant.how}", "" if named else find_damage(mutant.path, part))


def find_damage(path: Path, part: str) -> str:
    """Return why a file that was accepted should not have been: another reader refuses its bytes."""
    try:
        array = read_independently(path).get_fdata()
    except Exception as error:  # noqa: BLE001 (whatever an independent reader raises about a damaged file)
        return f"accepted, but another reader finds it damaged: {error}"
    if part == "image" and not np.isfinite(array).all():
        return "accepted, with voxels that are not finite"
    return ""


def try_loader(random: np.random.Generator, count: int, folder: Path, part: str) -> Iterator[Trial]:
    """Yield trials of the loader of training and prediction: one line, or the voxels of another reader."""
    write_tasks(folder, 1)
    whole = {"image": folder / "imagesTr", "label": folder / "labelsTr"}
    whole = {key: path / "hippocampus_0000.nii.gz" for key, path in whole.items()}
    for _ in range(count):
        path = folder / f"{part}.nii.gz"
        shutil.copy(whole[part], path)
        mutant = mutate(random, path)
        given = {key: str(path if key == part else other) for key, other in whole.items()}
        started = time.monotonic()
        problem = load_problem(given, part)
        if time.monotonic() - started > SLOWEST_S:
            problem = f"took more than {SLOWEST_S:g} s"
        yield Trial(f"mutated files: loader ({part})", f"{mutant.path}: {mutant.how}", problem)


def load_problem(given: dict[str, str], part: str) -> str:
    """Return why loading a case does not hold."""
    try:
        loaded = LoadCased(dataset="msd")(given)[part]
    except InputError as error:
        return "" if "\n" not in str(error) and given[part] in str(error) else f"not one line with the file: {error}"
    except Exception as error:  # noqa: BLE001 (any other is a failure)
        return f"traceback: {type(error).__name__}: {error}"
    try:
        expected = read_independently(Path(given[part]))
    except Exception as error:  # noqa: BLE001 (whatever an independent reader raises about a damaged file)
        return f"loaded, but another reader finds it damaged: {error}"
    same = np.allclose(loaded[0], expected.get_fdata(dtype=np.float32), rtol=1e-6)
    where = np.allclose(loaded.affine, expected.affine)
    return "" if same and where else "other voxels, or another place, than another reader has"


def try_odd_scans(folder: Path) -> Iterator[Trial]:
    """Yield trials of every scan of `odd_scans`: those to refuse are, in a line; the others are not."""
    folder.mkdir(parents=True)
    for odd, make in {**odd_scans.REFUSED, **odd_scans.USABLE}.items():
        path = folder / "scan.nii.gz"
        make(path)
        ending = run(_count_problems, str(path))
        refused = odd in odd_scans.REFUSED
        problem = ending.crash or ("accepted" if refused and not ending.status else "")
        problem = problem or ("refused: " + ending.out if ending.status and not refused else "")
        yield Trial("odd scans", odd, problem)


def _count_problems(path: str) -> int:
    problems = find_scan_problems(path)
    print("\n".join(problems))
    return len(problems)


def write_tasks(folder: Path, count: int) -> None:
    """Write a dataset of sound cases, in the layout of the Medical Segmentation Decathlon."""
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    entries = []
    for number in range(count):
        name = f"hippocampus_{number:04}.nii.gz"
        noise = np.random.default_rng(number).normal(100, 20, labels(0).shape).astype(np.float32)
        write_labels(folder / "imagesTr" / name, noise)
        write_labels(folder / "labelsTr" / name, labels(number))
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    names = {"0": "background", "1": "Anterior", "2": "Posterior"}
    (folder / "dataset.json").write_text(json.dumps({"labels": names, "training": entries}))
