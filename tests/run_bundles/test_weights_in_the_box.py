"""The weights that come with the hippocampus bundle: what they are, and that they segment a real scan."""

import hashlib
import re

import nibabel as nib
import numpy as np
import torch
from regionwise.nifti import read_labels

from .running import ROOT, arguments, run_process

FOLDER = ROOT / "bundles" / "hippocampus_rrw" / "models"


def test_the_note_beside_the_weights_gives_their_digest_and_license():
    note = (FOLDER / "README.md").read_text()
    digest = hashlib.sha256((FOLDER / "model.pt").read_bytes()).hexdigest()
    assert re.search(r"SHA-256: `(\w+)`", note).group(1) == digest
    assert "CC BY-SA 4.0" in note and "medicaldecathlon.com" in note


def test_the_weights_are_small_plain_and_finite():
    file = FOLDER / "model.pt"
    assert file.stat().st_size < 10 * 2**20
    weights = torch.load(file, weights_only=True)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert not any("super" in name for name in weights)


def test_real_scans_are_segmented_from_the_repository(real_data, tmp_path):
    """The network has seen most of these cases: the bound says that it is the right network, not how good it is."""
    data = real_data / "msd_task04_hippocampus"
    scans = sorted((data / "imagesTr").glob("*.nii.gz"))[:3]
    for scan in scans:
        given = arguments("run", "bundles/hippocampus_rrw/configs/inference.json", input=scan, output_dir=tmp_path)
        result = run_process(*given)
        assert result.status == 0, result.err
        found, image = nib.load(tmp_path / scan.name), nib.load(scan)
        assert np.allclose(found.affine, image.affine)
        predicted, reference = (read_labels(folder / scan.name).array for folder in (tmp_path, data / "labelsTr"))
        for label in (1, 2):
            one, other = predicted == label, reference == label
            assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.8
