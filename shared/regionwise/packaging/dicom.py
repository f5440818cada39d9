"""DICOM in and out of a packed bundle: a series becomes a scan, its labels become a DICOM segmentation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from monai.bundle import ConfigParser, ConfigWorkflow

from ..errors import InputError, find_input_error
from ..files import atomic_path, check_outputs
from ..nifti import read_labels, write_volume
from ..options import as_flag
from .archive import read_bundle
from .checks import checked_folder, read_metadata

# How far a voxel of the written segmentation may lie from the source's: text in DICOM has six digits or so.
TOLERANCE_MM = 1e-2
# SNOMED CT names of pydicom's dictionary, by what a class's name holds; what is none of these is a body structure.
PROPERTY_TYPES = {
    "right ventric": "RightVentricle",
    "left ventric": "LeftVentricle",
    "myocardium": "LeftVentricleMyocardium",
    "kidney": "Kidney",
    "hippocampus": "Hippocampus",
    "edema": "Edema",
    "oedema": "Edema",
    "tumour": "Neoplasm",
    "tumor": "Neoplasm",
}
ABNORMAL = {"Edema", "Neoplasm"}


@dataclass(frozen=True)
class Series:
    """One DICOM series of parallel, evenly spaced slices.

    Args:
        images: its datasets, one per slice.
        volume: `highdicom.Volume` of float32 (slice, row, column), modality transform applied.
    """

    images: Sequence[Any]
    volume: Any

    def scan(self, slice_axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return voxels and affine (RAS mm) as NIfTI has them.

        Args:
            slice_axis: 0 for (slice, row, column), 2 for (column, row, slice), as most converters write.
        """
        image = self.volume.permute_spatial_axes(_order(slice_axis)).to_nibabel()
        return np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine, dtype=np.float64)


def dicom(
    bundle: str,
    input: str,
    output_dir: str,
    slice_axis: int | None = None,
    execute: bool | str = False,
    overwrite: bool | str = False,
) -> None:
    """Run a packed bundle on a DICOM series and write OUTPUT_DIR/segmentation.dcm and labels.nii.gz.

    The segmentation lies on the voxels of the source and refers to its images; both are checked.

    Args:
        bundle: packed bundle, zip or folder, of one input channel.
        input: folder with the files of one series.
        output_dir: folder to write to.
        slice_axis: slice axis of the training volumes, 0 or 2; by default that of the bundle.
        execute: true also runs a bundle with code that `verify` lists.
        overwrite: true replaces the segmentation of an earlier run.
    """
    folder_out, replace = Path(output_dir), as_flag(overwrite, "overwrite")
    outputs = [folder_out / "segmentation.dcm", folder_out / "labels.nii.gz"]
    check_outputs(outputs, Path(input).glob("*"), replace, "--output_dir")
    highdicom = _highdicom()
    packed = read_bundle(bundle)
    metadata = read_metadata(packed)
    channels = metadata["network_data_format"]["inputs"]["image"]["num_channels"]
    if channels != 1:
        raise InputError(f"{packed.name} needs {channels} scans a case; a DICOM series is one")
    series = read_series(input)
    with checked_folder(packed, allow_code=as_flag(execute, "execute")) as folder:
        config = ConfigParser.load_config_file(str(folder / "configs" / "inference.json"))
        parser = ConfigParser(config)  # bundles packed earlier take the axis from a plan
        given = parser.get_parsed_content("slice_axis") if "slice_axis" in config else 2
        axis = given if slice_axis is None else slice_axis
        voxels, affine = series.scan(axis)
        scan = folder.parent / "labels.nii.gz"
        write_volume(scan, voxels, affine)
        arguments: dict[str, Any] = {
            "input": str(scan),
            "output_dir": str(output_dir),
            "bundle_root": str(folder),
            "overwrite": replace,
        }
        workflow = ConfigWorkflow(str(folder / "configs" / "inference.json"), workflow_type="infer", **arguments)
        workflow.initialize()
        try:
            workflow.run()
        except RuntimeError as error:  # MONAI's, of anything that a component raises
            raise find_input_error(error) or error from error
    names = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    classes = {int(number): name for number, name in names.items() if int(number) > 0}
    segmentation = make_segmentation(series, outputs[1], classes, axis, packed.name, packed.version)
    with atomic_path(outputs[0]) as file:
        segmentation.save_as(file)
        check_geometry(highdicom.seg.segread(file), series)
    print(f"{outputs[0]}: {', '.join(classes.values())} on {len(series.images)} images")


def read_series(folder: str | Path) -> Series:
    """Read a folder that holds one DICOM series.

    Raises:
        InputError: If there are no DICOM images, several series, or slices that do not form an evenly spaced volume.
    """
    highdicom = _highdicom()
    import pydicom

    files = sorted(file for file in Path(folder).glob("*") if file.is_file() and file.name != "DICOMDIR")
    images = []
    for file in files:
        try:
            images.append(pydicom.dcmread(file))
        except (pydicom.errors.InvalidDicomError, EOFError, OSError) as error:
            raise InputError(
                f"{file} is not a readable DICOM file ({error}); a series folder holds nothing else"
            ) from error
        if "PixelData" not in images[-1]:
            raise InputError(f"{file} is DICOM but no image")
    if not images:
        raise InputError(f"expected a folder with the files of a DICOM series at {folder}, not found")
    series = sorted({str(image.SeriesInstanceUID) for image in images})
    if len(series) > 1:
        raise InputError(f"expected one DICOM series in {folder}, found {len(series)}: {', '.join(series[:3])}")
    try:
        volume = highdicom.get_volume_from_series(images, dtype=np.float32)
    except (ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the series in {folder} is no volume of evenly spaced slices ({reason})") from error
    return Series(images, volume)


def make_segmentation(
    series: Series, labels: str | Path, classes: Mapping[int, str], slice_axis: int, name: str, version: str
) -> Any:
    """Return labels as a binary DICOM segmentation that refers to the images of a series.

    Args:
        series: the source.
        labels: NIfTI label map on the voxels of ``series.scan(slice_axis)``.
        classes: label 1, 2, ... to its name.
        slice_axis: as the scan was made.
        name: name of the algorithm.
        version: version of the algorithm.

    Raises:
        InputError: If the label map lies on another grid, or holds other labels.
    """
    highdicom = _highdicom()
    from pydicom.sr.codedict import codes

    found = read_labels(labels)
    voxels, affine = series.scan(slice_axis)
    if found.array.shape != voxels.shape or np.abs(found.affine - affine).max() > TOLERANCE_MM:
        raise InputError(
            f"{labels} does not lie on the voxels of the series: shape {found.array.shape}, {voxels.shape}"
        )
    if found.array.max() > len(classes) or sorted(classes) != list(range(1, len(classes) + 1)):
        raise InputError(f"expected labels 0 to {len(classes)} in {labels}, found {found.array.max()}")
    algorithm = highdicom.AlgorithmIdentificationSequence(name, codes.DCM.ArtificialIntelligence, version)
    return highdicom.seg.Segmentation(
        source_images=series.images,
        pixel_array=series.volume.with_array(found.array.transpose(_order(slice_axis)).astype(np.uint8)),
        segmentation_type="BINARY",
        segment_descriptions=[_describe(number, text, algorithm) for number, text in sorted(classes.items())],
        series_instance_uid=highdicom.UID(),
        series_number=1000,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="regionwise",
        manufacturer_model_name=name,
        software_versions=version,
        device_serial_number="none",
        omit_empty_frames=False,
    )


def check_geometry(segmentation: Any, series: Series) -> None:
    """Check that a DICOM segmentation lies on the voxels of its source, in its frame of reference.

    Raises:
        InputError: If it does not.
    """
    written = segmentation.get_volume(combine_segments=True)
    source = series.volume
    same_frame = written.frame_of_reference_uid == source.frame_of_reference_uid
    if not same_frame or not written.geometry_equal(source, tol=TOLERANCE_MM):
        raise InputError(
            f"the segmentation does not lie on the voxels of its source: {written.spatial_shape} at "
            f"{written.position}, source {source.spatial_shape} at {source.position}"
        )


def _order(slice_axis: int) -> list[int]:
    """Return the order of axes between (slice, row, column) and the scan; it is its own inverse."""
    if slice_axis not in (0, 2):
        raise InputError(f"expected --slice_axis to be 0 or 2, found {slice_axis!r}")
    return [0, 1, 2] if slice_axis == 0 else [2, 1, 0]


def _describe(number: int, name: str, algorithm: Any) -> Any:
    from pydicom.sr.codedict import codes

    known = next((code for text, code in PROPERTY_TYPES.items() if text in name.lower()), "AnatomicalStructure")
    category = "MorphologicallyAbnormalStructure" if known in ABNORMAL else "AnatomicalStructure"
    return _highdicom().seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=getattr(codes.SCT, category),
        segmented_property_type=getattr(codes.SCT, known),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
    )


def _highdicom() -> ModuleType:
    try:
        import highdicom
    except ImportError as error:
        raise InputError(f"DICOM needs {error.name}; pip install pydicom highdicom") from error
    return highdicom
