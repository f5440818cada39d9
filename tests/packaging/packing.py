"""A tiny trained run and its packed bundle, which the tests of packing share."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser
from regionwise.packaging.archive import MANIFEST, read_bundle, with_manifest
from regionwise.packaging.pack import pack

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
DYNUNET = {
    "_target_": "DynUNet",
    "spatial_dims": 2,
    "kernel_size": [3, 3, 3, 3],
    "strides": [1, 2, 2, 2],
    "upsample_kernel_size": [2, 2, 2],
    "filters": [4, 8, 8, 8],
    "deep_supervision": False,
}
PATCH = [32, 32]
SUMMARY = {
    "n_cases": 2,
    "protocol": {"name": "full", "evaluated": "the whole volume"},
    "empty_masks": "both empty: Dice 1",
    "skipped": [],
    "classes": {
        "RV": {"n": 2, "metrics": {"dice": {"mean": 0.75, "std": 0.125}, "hd_mm": {"mean": 9.5, "std": None}}},
        "LV": {"n": 0, "metrics": {"dice": None, "hd_mm": None}},
    },
}


def write_source(root: Path, name: str = "acdc_rrw") -> Path:
    """Copy a bundle of the repository, without what running it left there."""
    folder = root / name
    shutil.copytree(BUNDLES / name, folder, ignore=shutil.ignore_patterns("models", "eval"))
    return folder


def network_of(name: str = "acdc_rrw", **changes) -> dict:
    """Return the network.json of a tiny DynUNet with the channels of a bundle."""
    config = ConfigParser.load_config_file(str(BUNDLES / name / "configs" / "inference.json"))
    channels = {key: config["network_def"][key] for key in ("in_channels", "out_channels")}
    return {"network_def": DYNUNET | channels | changes, "patch_size": PATCH, "slice_axis": config["slice_axis"]}


def write_run(root: Path, name: str = "acdc_rrw", seed: int = 0, **changes) -> Path:
    """Write what a training of this bundle leaves, with random weights, and its evaluation."""
    (root / "eval").mkdir(parents=True)
    network = network_of(name, **changes)
    torch.manual_seed(seed)
    torch.save(ConfigParser(network).get_parsed_content("network_def").state_dict(), root / "model.pt")
    (root / "network.json").write_text(json.dumps(network))
    (root / "run.json").write_text(json.dumps({"dataset": name, "loss": "rrw", "epochs": 1, "seed": seed}))
    (root / "eval" / "summary.json").write_text(json.dumps(SUMMARY))
    (root / "eval" / "cases.csv").write_text("case,class\npatient017_frame01,RV\n")
    return root


def pack_tiny(root: Path, name: str = "acdc_rrw", seed: int = 0) -> Path:
    """Pack a bundle with random weights and return the zip."""
    pack(str(write_source(root / "source", name)), str(write_run(root / "run", name, seed)), str(root / "dist"))
    return next((root / "dist").glob("*.zip"))


def unpack(file: Path, folder: Path) -> Path:
    """Unpack as a user does and return the bundle's folder."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder / file.name.partition("_v")[0]


def repack(file: Path, target: Path, changes: dict[str, bytes | None]) -> Path:
    """Write a zip with files replaced or (None) left out and checksums that fit: what someone else may have made."""
    packed = read_bundle(file)
    contents = {path: content for path, content in packed.contents.items() if not MANIFEST.fullmatch(path)}
    contents = {path: content for path, content in (contents | changes).items() if content is not None}
    return write_zip(target, packed.name, with_manifest(packed.name, packed.version, contents))


def change_json(file: Path, target: Path, path: str, **changes) -> Path:
    """Repack with top-level keys of a JSON file changed."""
    content = json.loads(read_bundle(file).contents[path])
    return repack(file, target, {path: json.dumps(content | changes).encode()})


def write_zip(target: Path, name: str, contents: dict[str, bytes]) -> Path:
    """Write a zip member by member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in contents.items():
            archive.writestr(f"{name}/{path}", content)
    target.write_bytes(stream.getvalue())
    return target


def write_scan(path: Path, shape: tuple[int, ...] = (40, 36, 5), seed: int = 0) -> Path:
    """Write a scan of noise with an oblique affine."""
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine = affine @ np.diag([-1.4, 1.4, 8.0, 1.0])
    affine[:3, 3] = (30, -20, 12)
    image = np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)
    nib.save(nib.Nifti1Image(image, affine), path)
    return path


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
