"""DICOM: a synthetic series whose geometry is known, in and out again."""

import nibabel as nib
import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.nifti import write_volume
from regionwise.packaging.dicom import check_geometry, dicom, make_segmentation, read_series

from .packing import pack_tiny

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")

ROWS, COLUMNS, SLICES = 36, 40, 5
# Row direction (along which columns count), column direction, and normal: oblique, right-handed.
ALONG_ROW = np.array([np.cos(0.3), np.sin(0.3), 0.0])
ALONG_COLUMN = np.array([-np.sin(0.3) * np.cos(0.2), np.cos(0.3) * np.cos(0.2), np.sin(0.2)])
NORMAL = np.cross(ALONG_ROW, ALONG_COLUMN)
ORIGIN_MM = np.array([-120.0, -90.0, 30.0])
ROW_SPACING_MM, COLUMN_SPACING_MM, SLICE_SPACING_MM = 1.5, 1.25, 8.0


def voxels():
    """Return stored values (slice, row, column)."""
    return np.random.default_rng(0).integers(0, 400, (SLICES, ROWS, COLUMNS)).astype(np.uint16)


def write_series(folder, slices=range(SLICES), series_uid="1.2.3.4", slope=2.0, intercept=-100.0):
    """Write an MR series, a file a slice, in an order that says nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in slices:
        image = pydicom.Dataset()
        image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"{series_uid}.{number + 1}"
        image.SeriesInstanceUID, image.StudyInstanceUID = series_uid, "1.2.3"
        image.FrameOfReferenceUID = "1.2.3.9"
        image.Modality, image.PatientName, image.PatientID = "MR", "Phantom^", "P"
        image.PatientBirthDate = image.PatientSex = image.AccessionNumber = image.StudyID = ""
        image.StudyDate = image.StudyTime = image.ReferringPhysicianName = ""
        image.Rows, image.Columns = ROWS, COLUMNS
        image.PixelSpacing = [ROW_SPACING_MM, COLUMN_SPACING_MM]
        image.SliceThickness = SLICE_SPACING_MM
        image.ImageOrientationPatient = [round(float(value), 8) for value in (*ALONG_ROW, *ALONG_COLUMN)]
        position = ORIGIN_MM + number * SLICE_SPACING_MM * NORMAL
        image.ImagePositionPatient = [round(float(value), 6) for value in position]
        image.InstanceNumber = number + 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.RescaleSlope, image.RescaleIntercept = slope, intercept
        image.PixelData = voxels()[number].tobytes()
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        pydicom.dcmwrite(folder / f"IM{(number * 7) % SLICES}", image, enforce_file_format=True)
    return folder


def test_the_scan_has_the_values_and_places_of_the_series(tmp_path):
    scan, affine = read_series(write_series(tmp_path / "series")).scan(slice_axis=2)
    assert scan.shape == (COLUMNS, ROWS, SLICES)
    places, values = (np.array(part) for part in zip(*all_places_and_values(), strict=True))
    for index in np.random.default_rng(1).integers(0, scan.shape, (20, 3)):
        ras = affine[:3, :3] @ index + affine[:3, 3]
        distances_mm = np.linalg.norm(places - ras * (-1, -1, 1), axis=1)
        assert distances_mm.min() < 2e-3
        assert scan[tuple(index)] == values[distances_mm.argmin()]


def all_places_and_values():
    """Yield the place (LPS mm) and value of each voxel, by the DICOM standard's formula (PS3.3 C.7.6.2.1-1)."""
    for (number, row, column), stored in np.ndenumerate(voxels()):
        place = ORIGIN_MM + number * SLICE_SPACING_MM * NORMAL
        place = place + column * COLUMN_SPACING_MM * ALONG_ROW + row * ROW_SPACING_MM * ALONG_COLUMN
        yield place, 2.0 * stored - 100.0


@pytest.mark.parametrize("slice_axis", [0, 2])
def test_labels_come_back_from_the_segmentation_on_the_voxels_of_the_source(slice_axis, tmp_path):
    series = read_series(write_series(tmp_path / "series"))
    scan, affine = series.scan(slice_axis)
    labels = np.random.default_rng(2).integers(0, 3, scan.shape).astype(np.uint8)
    write_volume(tmp_path / "labels.nii.gz", labels, affine)
    classes = {1: "kidney", 2: "tumor"}
    segmentation = make_segmentation(series, tmp_path / "labels.nii.gz", classes, slice_axis, "kits_rrw", "0.1.0")
    segmentation.save_as(tmp_path / "segmentation.dcm")
    read = highdicom.seg.segread(tmp_path / "segmentation.dcm")
    check_geometry(read, series)
    volume = read.get_volume(combine_segments=True).match_geometry(series.volume, tol=1e-3)
    order = [0, 1, 2] if slice_axis == 0 else [2, 1, 0]
    np.testing.assert_array_equal(volume.array, labels.transpose(order))
    types = [one.SegmentedPropertyTypeCodeSequence[0].CodeValue for one in read.SegmentSequence]
    assert types == ["64033007", "108369006"], "SNOMED CT: kidney, neoplasm"
    assert {one.ReferencedSOPInstanceUID for one in read.ReferencedSeriesSequence[0].ReferencedInstanceSequence} == {
        image.SOPInstanceUID for image in series.images
    }


def test_a_segmentation_that_lies_elsewhere_is_refused(tmp_path):
    series = read_series(write_series(tmp_path / "series"))
    scan, affine = series.scan(2)
    affine[0, 3] += 1.0
    write_volume(tmp_path / "labels.nii.gz", np.zeros(scan.shape, np.uint8), affine)
    with pytest.raises(InputError, match=r"labels.nii.gz does not lie on the voxels of the series"):
        make_segmentation(series, tmp_path / "labels.nii.gz", {1: "kidney"}, 2, "a", "1")


def test_an_unknown_label_is_refused(tmp_path):
    series = read_series(write_series(tmp_path / "series"))
    scan, affine = series.scan(2)
    write_volume(tmp_path / "labels.nii.gz", np.full(scan.shape, 3, np.uint8), affine)
    with pytest.raises(InputError, match=r"expected labels 0 to 1 in .*labels.nii.gz, found 3"):
        make_segmentation(series, tmp_path / "labels.nii.gz", {1: "kidney"}, 2, "a", "1")


def test_a_missing_slice_is_refused(tmp_path):
    folder = write_series(tmp_path / "series", slices=(0, 1, 3, 4))
    with pytest.raises(InputError, match=r"the series in .* is no volume of evenly spaced slices \("):
        read_series(folder)


def test_two_series_in_a_folder_are_refused(tmp_path):
    folder = write_series(tmp_path / "series", slices=(0, 1))
    write_series(folder, slices=(3, 4), series_uid="1.2.3.5")
    with pytest.raises(InputError, match=r"expected one DICOM series in .*, found 2: 1.2.3.4, 1.2.3.5"):
        read_series(folder)


def test_what_is_no_series_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder with the files of a DICOM series at .*nowhere, not found"):
        read_series(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no DICOM")
    with pytest.raises(InputError, match=r"notes.txt is not a readable DICOM file"):
        read_series(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_packed_bundle_segments_a_series(packed_zip, tmp_path, capsys):
    folder = write_series(tmp_path / "series")
    dicom(str(packed_zip), str(folder), str(tmp_path / "out"))
    assert "right ventricle, myocardium, left ventricle on 5 images" in capsys.readouterr().out
    labels = nib.load(tmp_path / "out" / "labels.nii.gz")
    read = highdicom.seg.segread(tmp_path / "out" / "segmentation.dcm")
    volume = read.get_volume(combine_segments=True).match_geometry(read_series(folder).volume, tol=1e-3)
    expected = np.asanyarray(labels.dataobj)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(volume.array, expected.transpose(2, 1, 0))
    assert [one.SegmentLabel for one in read.SegmentSequence] == ["right ventricle", "myocardium", "left ventricle"]


def test_a_bundle_of_several_scans_is_refused(tmp_path):
    packed = pack_tiny(tmp_path, "brats_rrw")
    with pytest.raises(InputError, match=r"brats_rrw needs 4 scans a case; a DICOM series is one"):
        dicom(str(packed), str(tmp_path), str(tmp_path / "out"))
