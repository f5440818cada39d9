"""Two computing jobs of a study: prepare a dataset, train a cell."""

import csv
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import record
from cells import as_words
from command import ROOT, Spec, bundle_command, bundle_configs, read_prepared
from regionwise.files import content_digest, read_json, write_json, write_text


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
    parser.read_config(bundle_configs(spec["bundle"], "train"))
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
    folder, prepared = out / "cells" / cell, read_prepared(out, dataset, fold)
    run = folder / "runs" / _short({**spec, "data": prepared["data_sha256"]})
    given = {
        "dataset_dir": data or prepared["scans"],
        "output_dir": str(run),
        "cache_dir": str(out / "data" / dataset / "cache"),
        "split": str(out / "data" / dataset / f"fold{fold}" / "split.json"),
        "fold": 0,
        "resume": True,
    }
    command = bundle_command("training", spec["bundle"], "train", {**given, **spec["overrides"]})
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
