"""A BIDS tree made of a phantom in the layout of MSD Task04."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

DESCRIPTION = {"Name": "Hippocampi (phantom)", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_tree(root: Path, phantom: Path, masks: bool = False) -> Path:
    """Write the cases of a phantom as T1w scans, two sessions of each subject, and their labels as a derivative.

    Four cases become ``sub-01`` and ``sub-02`` with the sessions 1 and 2.
    """
    labels = root / "derivatives" / "manual"
    write_json(root / "dataset_description.json", DESCRIPTION)
    generated = {"DatasetType": "derivative", "GeneratedBy": [{"Name": "by hand"}]}
    write_json(labels / "dataset_description.json", DESCRIPTION | generated)
    (root / "README").write_text("A phantom in the layout of BIDS: synthetic scans, no person.\n" * 3)
    scans = sorted((phantom / "imagesTr").glob("*.nii.gz"))
    for number, scan in enumerate(scans):
        subject, session = f"sub-{number // 2 + 1:02d}", f"ses-{number % 2 + 1}"
        folder, name = Path(subject) / session / "anat", f"{subject}_{session}"
        for base in (root, labels):
            (base / folder).mkdir(parents=True)
        shutil.copy(scan, root / folder / f"{name}_T1w.nii.gz")
        write_json(root / folder / f"{name}_T1w.json", {"MagneticFieldStrength": 3})
        write_labels(phantom / "labelsTr" / scan.name, labels / folder / name, masks)
    subjects = sorted({f"sub-{number // 2 + 1:02d}" for number in range(len(scans))})
    rows = "".join(f"{subject}\tscanner{index}\n" for index, subject in enumerate(subjects))
    (root / "participants.tsv").write_text("participant_id\tscanner\n" + rows)
    write_json(root / "participants.json", {"scanner": {"Description": "which scanner"}})
    return root


def write_labels(source: Path, name: Path, masks: bool) -> None:
    if not masks:
        shutil.copy(source, f"{name}_desc-manual_dseg.nii.gz")
        return
    image = nib.load(source)
    array = np.asanyarray(image.dataobj)
    for index, structure in ((1, "anterior"), (2, "posterior")):
        mask = nib.Nifti1Image((array == index).astype(np.uint8), image.affine)
        nib.save(mask, f"{name}_label-{structure}_mask.nii.gz")
