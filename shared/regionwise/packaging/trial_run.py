"""Run a packed bundle on a generated scan, in a process of its own: ``python -m regionwise.packaging.trial_run``.

A bundle's configuration is code; what it does or breaks stays in this process, in an empty working directory.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser, ckpt_export, create_workflow, verify_net_in_out

from ..bundle.packed import PACKAGE
from ..errors import InputError
from ..scans import find_scans
from ..weights import load_weights
from .names import as_shown

STEPS = ("properties", "network", "export", "inference", "chain", "orientation")
SCAN_SHAPE = (40, 36, 8)
SPACING_MM = (1.4, 1.4, 5.0)
LONGEST_MINUTES = 30
# Both chains average the network's logits over the same windows, in another order: they differ by rounding alone,
# and a label then only where two logits are closer than that.
LARGEST_DIFFERENCE = 1e-4
KEPT_VARIABLES = {
    "PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
}  # fmt: skip


def run_trial(folder: Path, scratch: Path) -> dict[str, str]:
    """Run all steps in a new process.

    Args:
        folder: the unpacked bundle.
        scratch: an empty folder, the working directory of the process.

    Returns:
        step to a line for each step that passed; the first that failed to ``failed: `` and the reason.
    """
    command = [sys.executable, "-P", "-m", "regionwise.packaging.trial_run", str(folder.resolve()), "steps"]
    try:
        result = subprocess.run(
            command,
            cwd=scratch,
            env=_environment(scratch),
            capture_output=True,
            text=True,
            timeout=LONGEST_MINUTES * 60,
        )
        status, printed = result.returncode, result.stderr
    except subprocess.TimeoutExpired:
        status, printed = 1, f"not done after {LONGEST_MINUTES} minutes"
    written = scratch / "steps"
    steps = dict(json.loads(line) for line in written.read_text().splitlines()) if written.is_file() else {}
    if status:
        lines = [line for line in printed.splitlines() if line.strip()] or [f"exit status {status}"]
        missing = next(step for step in STEPS if step not in steps)
        steps[missing] = f"failed: {as_shown(lines[-1].strip(), 300)}"
    return steps


def _environment(scratch: Path) -> dict[str, str]:
    """Return what Python and torch need of this process's variables: no token or key of the user's."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT_VARIABLES}
    home = {"HOME": str(scratch), "USERPROFILE": str(scratch), "TMPDIR": str(scratch), "MPLCONFIGDIR": str(scratch)}
    return kept | home | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def check_required_properties(folder: Path) -> str:
    """Check the properties that MONAI requires of an inference workflow."""
    workflow = create_workflow(
        config_file=str(folder / "configs" / "inference.json"), workflow_type="infer", bundle_root=str(folder)
    )
    missing = workflow.check_properties()
    if missing:
        raise InputError(f"missing or misnamed: {', '.join(missing)}")
    return f"{sum(one['required'] for one in workflow.properties.values())} required properties are there"


def check_network(folder: Path) -> str:
    """Check the network's input and output against the metadata."""
    configs = folder / "configs"
    verify_net_in_out("network_def", str(configs / "metadata.json"), str(configs / "inference.json"), device="cpu")
    return "input and output are as metadata.json says"


def check_export(folder: Path) -> str:
    """Check that the weights export to TorchScript and load again."""
    config = folder / "configs" / "inference.json"
    ckpt_export(
        net_id="network_def",
        filepath="model.ts",
        ckpt_file=str(folder / "models" / "model.pt"),
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=str(config),
    )
    torch.jit.load("model.ts")
    return "TorchScript is written and loads"


def check_inference(folder: Path) -> str:
    """Run inference.json on a generated scan and check geometry and labels of what it writes."""
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    config = ConfigParser.load_config_file(str(folder / "configs" / "inference.json"))
    channels = metadata["network_data_format"]["inputs"]["image"]["num_channels"]
    scan = write_scan(Path("scan"), channels, config.get("modalities"))
    workflow = create_workflow(
        config_file=str(folder / "configs" / "inference.json"), workflow_type="infer", input="scan", output_dir="out"
    )
    workflow.run()
    workflow.finalize()
    files = sorted(Path("out").rglob("*.nii*"))
    if len(files) != 1:
        raise InputError(f"expected one label map for one scan, found {len(files)}")
    labels: Any = nib.load(files[0])
    if labels.shape != SCAN_SHAPE or not np.allclose(labels.affine, scan.affine, atol=1e-4):
        raise InputError(f"expected labels on the voxels of the scan {SCAN_SHAPE}, found shape {labels.shape}")
    values = np.unique(np.asanyarray(labels.dataobj))
    classes = metadata["network_data_format"]["outputs"]["pred"]["num_channels"]
    if not np.isin(values, range(classes)).all():
        raise InputError(f"expected labels 0 to {classes - 1}, found {values[:10].tolist()}")
    return f"a generated scan of {' x '.join(map(str, SCAN_SHAPE))} voxels; labels lie on its voxels"


def check_chain(folder: Path) -> str:
    """Check that inference.json prepares a scan as evaluate.json does, and that the logits then are the same.

    The scan is that of `check_inference`. A step that one of the chains lacks, or has in another order, costs accuracy
    that goes unnoticed without a reference.
    """
    configs = folder / "configs"
    if not (configs / "evaluate.json").is_file():
        return "there is no evaluate.json to compare with"
    inference, evaluation = ConfigParser(), ConfigParser()
    inference.read_config(str(configs / "inference.json"))
    evaluation.read_config(str(configs / "evaluate.json"))
    inference["input"], inference["device"] = "scan", "cpu"
    for key, value in (("amp", False), ("probabilities", True)):  # the chains are compared, not the precision
        if key in evaluation:
            evaluation[key] = value
    dataset = inference.get_parsed_content("dataset")
    dataset.data = find_scans("scan", inference.get("modalities"))
    expected = evaluation.get_parsed_content("preprocessing")(dict(dataset.data[0]))["image"]
    image = dataset[0]["image"]
    if image.shape != expected.shape or not torch.equal(image.as_tensor(), expected.as_tensor()):
        raise InputError("inference.json prepares a scan in another way than evaluate.json")
    network = load_weights(inference.get_parsed_content("network_def"), folder / "models" / "model.pt").eval()
    part = image.as_tensor()[None]
    if len(inference.get_parsed_content("patch_size")) == 2:  # a slice is as good as all of them, and sooner done
        part = part.narrow(2 + inference.get_parsed_content("slice_axis"), 0, 1)
    with torch.no_grad():
        found, other = (
            parser.get_parsed_content("inferer")(part, network)[0].as_subclass(torch.Tensor)
            for parser in (inference, evaluation)
        )
    if found.shape != other.shape or not torch.isfinite(found).all():
        raise InputError(f"expected finite scores of one shape, found {tuple(found.shape)} and {tuple(other.shape)}")
    difference = float((found - other).abs().max() / other.abs().max().clamp(min=1e-30))
    share = float((found.argmax(0) != other.argmax(0)).float().mean())
    if not difference <= LARGEST_DIFFERENCE:
        raise InputError(
            f"inference.json gives other logits than evaluate.json, by up to {difference:.2g} of the largest, and "
            f"other labels in {share:.1%} of the voxels"
        )
    return (
        f"prepares {image.numel()} voxels as evaluate.json does, to the last bit; logits differ by {difference:.1g} of "
        f"the largest, labels in {share:.2%} of the voxels"
    )


def check_orientation(folder: Path) -> str:
    """Check that a scan stored in another orientation (left-right and front-back) gets its labels on its own voxels.

    The scan is that of `check_inference`. Networks see the axes as they are stored, and resampling starts at the first
    voxel as it is stored: how many labels differ in the world is told, not judged.
    """
    Path("mirrored").mkdir()
    for file in sorted(Path("scan").glob("*.nii.gz")):
        nib.save(_mirrored(nib.load(file)), Path("mirrored") / file.name)
    workflow = create_workflow(
        config_file=str(folder / "configs" / "inference.json"),
        workflow_type="infer",
        input="mirrored",
        output_dir="out_mirrored",
    )
    workflow.run()
    workflow.finalize()
    labels, back = _written("out"), _mirrored(_written("out_mirrored"))
    if back.shape != labels.shape or not np.allclose(back.affine, labels.affine, atol=1e-3):
        raise InputError("the labels of a scan that is stored mirrored do not lie on its voxels")
    share = float((np.asanyarray(back.dataobj) != np.asanyarray(labels.dataobj)).mean())
    return (
        f"labels of a scan stored mirrored lie on its voxels; other labels in {share:.1%} of them: store scans as the "
        "training data are (regionwise check)"
    )


def _written(folder: str) -> Any:
    """Return the label map that a run wrote."""
    return nib.load(next(Path(folder).rglob("*.nii*")))


def _mirrored(image: Any) -> nib.Nifti1Image:
    """Return an image with its first two axes stored in reverse, at the same place in the world."""
    shape = image.shape[:2]
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(shape) - 1
    return nib.Nifti1Image(np.asanyarray(image.dataobj)[::-1, ::-1], image.affine @ flip)


def write_scan(folder: Path, channels: int, modalities: list[str] | None) -> nib.Nifti1Image:
    """Write a scan of blurred noise: a file, or one for each modality (``scan_t2.nii.gz``), and return an image."""
    folder.mkdir()
    noise = np.random.default_rng(0).normal(100, 20, (*SCAN_SHAPE, channels))
    noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)).astype(np.float32)
    noise[:4] = 0  # some normalizations leave the background out
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    affine[:3, 3] = (30, -20, 12)
    volumes = {f"_{modality}": noise[..., number] for number, modality in enumerate(modalities or [])}
    for name, volume in (volumes or {"": noise.squeeze(-1) if channels == 1 else noise}).items():
        image = nib.Nifti1Image(volume, affine)
        nib.save(image, folder / f"scan{name}.nii.gz")
    return image


def main(folder: Path, record: Path) -> None:
    """Run the steps in order and record each that passed as a line of JSON."""
    checks = (
        check_required_properties,
        check_network,
        check_export,
        check_inference,
        check_chain,
        check_orientation,
    )
    for step, check in zip(STEPS, checks, strict=True):
        line = json.dumps([step, check(folder)])
        with record.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
