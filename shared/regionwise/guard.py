"""The last step of the bundles' ``inference.json``: run it so that no wrong label map is written and no file is lost.

MONAI's reader stops before the checksum of a ``.nii.gz``, segments NaN voxels and several volumes at once without a
word, takes weights that are NaN, and writes over a scan that lies in the output folder. Everything else in
``inference.json`` is MONAI's alone, so that clients which build its parts themselves need no code of ours; the step
``run`` is this one. It needs nothing but MONAI, PyTorch, NumPy and nibabel.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.utils import correct_nifti_header_if_necessary, create_file_basename
from monai.engines import Evaluator, IterationEvents
from monai.transforms import Compose, KeepLargestConnectedComponentd, SaveImaged
from nibabel.affines import voxel_sizes

from .errors import InputError, show_input_errors_in_one_line
from .geometry import AFFINE_TOLERANCE_VOXELS, largest_move_voxels
from .nifti import read_header, stem, write_volume
from .options import as_flag
from .scans import (
    WRITING,
    CheckedScans,
    check_folder,
    check_outputs,
    find_scan_problems,
    find_scans,
    image_files,
)
from .weights import check_weights


def segment_scans(
    *,
    evaluator: Evaluator,
    postprocessing: Compose,
    output_dir: str,
    checkpoint: str | None = None,
    modalities: Sequence[str] | None = None,
    overwrite: bool | str = False,
) -> None:
    """Check weights, scans and output folder, run an evaluator, and move each label map in place when it is whole.

    A scan that cannot be segmented does not stop the others: it is named at once and counted at the end, and the run
    then ends with an error. Errors are shown in one line.

    Args:
        evaluator: with a dataset of ``{"image": file, list of files, or folder}``; folders are replaced by what is in
            them (see `find_scans`).
        postprocessing: the evaluator's, with one `SaveImaged` that writes the label maps.
        output_dir: where ``<scan>.nii.gz`` go, named as the (first) file of the scan.
        checkpoint: the weights that the evaluator loads; None leaves them unchecked.
        modalities: endings of the files that make one scan, in channel order; None: one file is one scan.
        overwrite: whether to replace the label maps of an earlier run.

    Raises:
        InputError: nothing to segment; the weights are damaged, not finite or of another network; an output would
            overwrite an input or (without ``overwrite``) an earlier result; or a scan was not segmented.
    """
    sys.excepthook = show_input_errors_in_one_line
    replace, folder = as_flag(overwrite, "overwrite"), check_folder(output_dir)
    loader: Any = evaluator.data_loader
    dataset = loader.dataset
    found = [scan for item in dataset.data for scan in _expand(item, modalities)]
    check_outputs(found, [folder / f"{stem(image_files(scan)[0])}.nii.gz" for scan in found], replace)
    if checkpoint is not None:
        check_weights(evaluator.network, checkpoint)
    scans = CheckedScans(found, find_reader_problems)
    dataset.data = [{"image": scan["image"]} for scan in scans.usable]
    evaluator.state.epoch_length = len(loader)
    guard = Guard(scans, folder, postprocessing)
    try:
        with (
            evaluator.add_event_handler(IterationEvents.FORWARD_COMPLETED, guard.check_prediction),
            evaluator.add_event_handler(Events.ITERATION_COMPLETED, guard.keep),
        ):
            evaluator.run()
    finally:
        guard.clean_up()
    guard.finish()


def _expand(item: Mapping[str, Any], modalities: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return the scans of an item of a datalist: a list of files is one scan if scans have several modalities."""
    image = item["image"]
    if not isinstance(image, list | tuple):
        return find_scans(image, modalities)
    if not modalities:
        return [scan for one in image for scan in find_scans(one)]
    if len(image) != len(modalities):
        raise InputError(f"expected one file each for {', '.join(modalities)}, found {len(image)}: {image}")
    return [{"case_id": stem(image[0]), "image": list(image)}]


def find_reader_problems(image: str | Sequence[str]) -> list[str]:
    """List what makes a scan unfit (`find_scan_problems`), or lie elsewhere for MONAI's reader than its header says.

    Where the voxel sizes in ``pixdim`` contradict the sform, MONAI takes the qform, and the label map would not lie on
    the scan.

    Args:
        image: Its file, or one file per modality.
    """
    problems = find_scan_problems(image)
    for path in [] if problems else [image] if isinstance(image, str) else image:
        affine = read_header(path).affine
        mended = correct_nifti_header_if_necessary(read_header(path))
        if not largest_move_voxels(mended.affine, affine, mended.shape) <= AFFINE_TOLERANCE_VOXELS:
            sizes = (" x ".join(f"{size:.4g}" for size in voxel_sizes(one)) for one in (affine, mended.affine))
            problems.append(
                f"expected one geometry, found voxels of {next(sizes)} mm by the sform and {next(sizes)} mm by the "
                f"pixdim and qform of {path}; correct its header"
            )
    return problems


class Guard:
    """Handlers of one run: what the network gives, and where its label maps go.

    Args:
        scans: those that the evaluator segments.
        folder: where the label maps go.
        postprocessing: the evaluator's; it then writes into a hidden folder, from which label maps are moved.
    """

    def __init__(self, scans: CheckedScans, folder: Path, postprocessing: Compose) -> None:
        self.scans, self.folder, self.writing = scans, folder, folder / WRITING
        (saver,) = _of_kind(postprocessing, SaveImaged)
        saver.saver.folder_layout.output_dir = str(self.writing)
        self.kept = [
            label
            for transform in _of_kind(postprocessing, KeepLargestConnectedComponentd)
            for label in transform.converter.applied_labels or ()
        ]
        files = [image_files(scan)[0] for scan in scans.usable]
        # MONAI names a label map by rules of its own: of "a.NII.GZ" it keeps "a.NII".
        bases = [create_file_basename("", file, "", separate_folder=False, makedirs=False) for file in files]
        self.files = {f"{base}.nii.gz": file for base, file in zip(bases, files, strict=True)}
        self.failed: set[str] = set()

    def check_prediction(self, engine: Engine) -> None:
        """Note scans for which the network gave NaN or infinity: the arg max of these is a label map like any other.

        Raises:
            InputError: a label of which the largest component is kept is not among the network's.
        """
        scores = engine.state.output["pred"].as_subclass(torch.Tensor)
        wrong = [label for label in self.kept if not 0 < label < scores.shape[1]]
        if wrong:
            raise InputError(f"expected --largest_component of classes 1 to {scores.shape[1] - 1}, found {wrong[0]}")
        size = engine.state.dataloader.batch_size
        first = (engine.state.iteration - 1) * size
        for number, one in enumerate(scores):
            if not torch.isfinite(one).all():
                file = image_files(self.scans.usable[first + number])[0]
                self.failed.add(file)
                self.scans.skip(f"expected finite scores of the network, found NaN or infinity for {file}")

    def keep(self, engine: Engine | None = None) -> None:
        """Move label maps that are whole to the output folder."""
        for written in sorted(self.writing.glob("*.nii.gz")):
            file = self.files.get(written.name)
            if file in self.failed:
                written.unlink()
            elif file is not None:
                _restore_axes(written)
                written.replace(self.folder / f"{stem(file)}.nii.gz")
                del self.files[written.name]

    def clean_up(self) -> None:
        """Remove a label map that was not finished, and the hidden folder unless another run writes into it."""
        for name in self.files:
            (self.writing / name).unlink(missing_ok=True)
        try:
            self.writing.rmdir()
        except OSError:  # another run writes into it, or it is not there
            return

    def finish(self) -> None:
        """Raise if a scan was not segmented, for whatever reason."""
        for file in self.files.values():
            if file not in self.failed:
                self.scans.skip(f"no label map was written for {file}")
        self.scans.finish()


def _of_kind(chain: Compose, kind: type) -> list[Any]:
    return [transform for transform in chain.transforms if isinstance(transform, kind)]


def _restore_axes(path: Path) -> None:
    """Give a label map of one slice its third axis back: MONAI's writer drops last axes of length 1."""
    image = read_header(path)
    if len(image.shape) < 3:
        array = np.asarray(image.dataobj).reshape(*image.shape, *[1] * (3 - len(image.shape)))
        write_volume(path, array, image.affine)
