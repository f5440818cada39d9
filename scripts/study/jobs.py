"""The computing jobs of a study: prepare a dataset, train a cell, evaluate a cell."""

import csv
import fcntl
import io
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import record
from regionwise.evaluation.cases_csv import read_rows
from regionwise.files import atomic_path, content_digest, read_json, write_json, write_text
from table import as_words

ROOT = Path(__file__).resolve().parents[2]
Spec = Mapping[str, Any]


def prepare(out: Path, dataset: str, fold: int, data: str, spec: Spec) -> None:
    """Write the phantom if there is one to write, list and split the cases, and fill the cache of preprocessed cases.

    Writes ``prepared.json`` (scans, cases with digests), ``split.json`` and ``groups.csv`` to
    ``out/data/<dataset>/fold<n>``.

    Raises:
        InputError: If the dataset cannot be read or split.
    """
    from monai.bundle import ConfigParser
    from regionwise.phantoms.write import phantom

    place = out / "data" / dataset
    folder = place / f"fold{fold}"
    scans = Path(data) if data else place / f"scans-{_short(spec['scans'])}"
    if not data and not scans.is_dir():
        for seed, part in enumerate(("training", spec["test"]) if "test" in spec else ("",)):
            given = spec["scans"]
            phantom(given["reader"], str(scans / part), given["subjects"], seed, given["size"], "small")
    parser = ConfigParser()
    parser.read_config(_configs(spec["bundle"], "train"))
    given = {"bundle_root": str(ROOT / "bundles" / spec["bundle"]), "dataset_dir": str(scans), "seed": 0}
    overrides = {**given, "cache_dir": str(place / "cache"), **spec["settings"], **spec["split"]}
    for name, value in overrides.items():
        parser[name.replace("#", "::")] = value
    read = parser.get_parsed_content("train::datalist")
    cases = {section: read(section=section) for section in ("train", "val")}
    if "test" in spec:
        cases["test"] = read(section="all", dataset_dir=str(scans / spec["test"]))
    for section in ("train", "validate"):
        parser.get_parsed_content(f"{section}::dataset")  # preprocesses what the cache lacks
    subjects = {section: sorted({one["subject_id"] for one in cases[section]}) for section in ("train", "val")}
    write_json(folder / "split.json", subjects)
    write_text(folder / "groups.csv", _groups([one for found in cases.values() for one in found]))
    listed = {
        section: {
            one["case_id"]: [content_digest(path) for path in (*_paths(one["image"]), one["label"])] for one in found
        }
        for section, found in cases.items()
    }
    digest = sha256(as_words(listed).encode()).hexdigest()
    # The digest goes into the cells' records; scans that change make another file, and so other trainings.
    write_json(folder / "prepared.json", {"scans": str(scans), "data_sha256": digest, "cases": listed})


def train(out: Path, dataset: str, fold: int, data: str, cell: str, spec: Spec) -> None:
    """Train a cell, or go on with a training that was interrupted, and write its record ``train.json``.

    The run's folder is named by a digest of its settings, so that a changed cell starts anew and the old run stays.

    Raises:
        InputError: If the training fails; the message is its last line.
    """
    folder, prepared = out / "cells" / cell, _prepared(out, dataset, fold)
    run = folder / "runs" / _short({**spec, "data": prepared["data_sha256"]})
    given = {
        "dataset_dir": data or prepared["scans"],
        "output_dir": str(run),
        "cache_dir": str(out / "data" / dataset / "cache"),
        "split": str(out / "data" / dataset / f"fold{fold}" / "split.json"),
        "fold": 0,
        "resume": True,
    }
    command = _bundle_command("training", spec["bundle"], "train", {**given, **spec["overrides"]})
    with _one_process(run) as lock:
        finished = run / "finished.json"
        if not finished.is_file():
            resumed = (run / "last.pt").is_file()
            cost = record.run(command, run / "train.log", [lock])
            write_json(finished, {**cost, "resumed": resumed})
    weights = run / "model_last.pt"
    write_json(folder / "train.json", {
        "cell": cell, "command": command, "spec": spec, "spec_sha256": sha256(as_words(spec).encode()).hexdigest(),
        "data_sha256": prepared["data_sha256"], "package_sha256": record.package_digest(),
        "weights": str(weights), "weights_sha256": content_digest(weights), "cost": read_json(finished),
        "versions": record.versions(), "machine": record.machine(), "collapses": _collapses(run / "train.log"),
    })  # fmt: skip


def evaluate(out: Path, dataset: str, fold: int, data: str, cell: str, spec: Spec) -> None:
    """Predict and measure the held-out cases of a cell; writes ``evaluation/`` and its record ``evaluation.json``.

    Raises:
        InputError: If it fails; the message is its last line.
    """
    folder, prepared = out / "cells" / cell, _prepared(out, dataset, fold)
    trained = read_json(folder / "train.json")
    weights = Path(trained["weights"])
    given = {
        "dataset_dir": data or prepared["scans"],
        "output_dir": str(folder / "evaluation"),
        "checkpoint": str(weights),
        "args_file": str(weights.parent / "network.json"),
        "split": str(out / "data" / dataset / f"fold{fold}" / "split.json"),
        "fold": 0,
    }
    if "test" in spec:
        given |= {"dataset_dir": str(Path(given["dataset_dir"]) / spec["test"]), "section": "all"}
        del given["split"], given["fold"]
    command = _bundle_command("evaluating", spec["bundle"], "evaluate", {**given, **spec["overrides"]})
    cost = record.run(command, folder / "evaluate.log")
    if "test" in spec:
        write_submission(folder / "evaluation")
    write_json(folder / "evaluation.json", {"cell": cell, "command": command, "cost": cost})


def write_submission(evaluation: Path) -> None:
    """Copy ACDC's predictions under the names that its server takes, such as ``patient101_ED.nii.gz``.

    Writes ``submission/`` beside ``predictions/``.
    """
    phases = {str(row["case"]): str(row["group"]) for row in read_rows(evaluation / "cases.csv")}
    for case, phase in phases.items():
        with atomic_path(evaluation / "submission" / f"{case.partition('_')[0]}_{phase}.nii.gz") as temporary:
            shutil.copyfile(evaluation / "predictions" / f"{case}.nii.gz", temporary)


def progress(out: Path) -> str:
    """Return the number of finished cells and, from what they took, the time left with one job at a time."""
    planned = read_json(out / "study.json")["cells"]
    costs = [
        sum(read_json(out / "cells" / cell / name)["cost"]["wall_s"] for name in ("train.json", "evaluation.json"))
        for cell in planned
        if all((out / "cells" / cell / name).is_file() for name in ("train.json", "evaluation.json"))
    ]
    left = len(planned) - len(costs)
    mean_s = sum(costs) / max(len(costs), 1)
    time_left = f"; about {left * mean_s / 60:.0f} minutes left with one job at a time" if costs and left else ""
    return f"{len(costs)} of {len(planned)} cells are finished{time_left}"


def _bundle_command(run_id: str, bundle: str, config: str, overrides: Mapping[str, Any]) -> list[str]:
    root = ROOT / "bundles" / bundle
    command = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", *_configs(bundle, config)]
    for name, value in {"bundle_root": str(root), **overrides}.items():
        command += [f"--{name}", value if isinstance(value, str) else repr(value)]
    return command


def _configs(bundle: str, name: str) -> list[str]:
    return [str(ROOT / "bundles" / bundle / "configs" / f"{name}.json")]


def _prepared(out: Path, dataset: str, fold: int) -> Mapping[str, Any]:
    return read_json(out / "data" / dataset / f"fold{fold}" / "prepared.json")


def _short(spec: Any) -> str:
    return sha256(as_words(spec).encode()).hexdigest()[:12]


def _paths(image: str | list[str]) -> list[str]:
    return image if isinstance(image, list) else [image]


def _groups(cases: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["case", "patient"])
    writer.writerows([one["case_id"], one["subject_id"]] for one in cases)
    return file.getvalue()


def _collapses(log: Path) -> list[str]:
    """Return the lines in which a training says that it collapsed or that a structure is predicted nowhere."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line.strip() for line in lines if "has collapsed" in line or "predicted nowhere" in line]
    return list(dict.fromkeys(told))


@contextmanager
def _one_process(run: Path) -> Iterator[int]:
    """Hold the lock of a run's folder, and yield its descriptor, which the training inherits.

    A training outlives a workflow that is killed. The next call waits for it here, instead of writing to the same
    checkpoints.
    """
    run.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for a process that still trains in {run}", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
