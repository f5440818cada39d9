import doctest
import importlib
import json

import pytest
from regionwise.errors import InputError
from regionwise.metadata.encoding import check_encoding, encode
from regionwise.metadata.read import read_dicom_metadata, read_metadata

ENCODING = {"Manufacturer": ["Siemens", "GE"], "Height": [160, 175.5]}


@pytest.mark.parametrize("module", ["encoding", "network"])
def test_the_examples_of_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"regionwise.metadata.{module}"))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    ("metadata", "codes"),
    [
        ({}, [0, 0]),
        ({"Manufacturer": "Siemens", "Height": 120}, [1, 1]),
        ({"Manufacturer": "GE", "Height": "160"}, [2, 2]),
        ({"Manufacturer": "Philips", "Height": 175.5}, [0, 3]),
        ({"Manufacturer": "n/a", "Height": "nan"}, [0, 0]),
    ],
)
def test_values_become_categories_and_0_is_unknown(metadata, codes):
    assert encode(metadata, check_encoding(ENCODING), "scan") == codes


@pytest.mark.parametrize("key", ["Group", "group", "DIAGNOSIS", "Diagnosis_Group", "dx"])
def test_keys_that_tell_the_answer_are_refused_by_name(key):
    with pytest.raises(InputError, match=f"metadata key '{key}' tells the diagnosis"):
        check_encoding({"Height": [170], key: ["NOR", "DCM"]})


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ({}, "expected --metadata as"),
        ("Height", "expected --metadata as"),
        ({"Height": []}, "expected a list of texts, or of numbers"),
        ({"Height": "170"}, "expected a list of texts, or of numbers"),
        ({"Height": [170, "tall"]}, "expected a list of texts, or of numbers"),
        ({"Height": [175, 160]}, "edges in ascending order"),
        ({"Sex": ["F", "F"]}, "expected different values"),
    ],
)
def test_a_wrong_encoding_is_one_line(encoding, line):
    with pytest.raises(InputError, match=line):
        check_encoding(encoding)


@pytest.mark.parametrize("value", ["tall", True, [170], {"cm": 170}, float("inf")])
def test_a_number_of_the_wrong_type_names_key_and_scan(value):
    with pytest.raises(InputError, match=r"expected a number for metadata Height of a.nii.gz, found"):
        encode({"Height": value}, {"Height": [170]}, "a.nii.gz")


def test_a_list_is_no_text():
    with pytest.raises(InputError, match=r"expected a text for metadata Sex of a.nii.gz, found"):
        encode({"Sex": ["F"]}, {"Sex": ["F", "M"]}, "a.nii.gz")


def test_metadata_come_from_info_and_sidecar(tmp_path):
    scan = tmp_path / "patient001_frame01.nii.gz"
    assert read_metadata(scan) == {}
    (tmp_path / "Info.cfg").write_text("ED: 1\nHeight: 184.0\n")
    (tmp_path / "patient001_frame01.json").write_text(json.dumps({"MagneticFieldStrength": 1.5}))
    assert read_metadata(scan) == {"ED": "1", "Height": "184.0", "MagneticFieldStrength": 1.5}
    (tmp_path / "patient001_frame01.json").write_text("[1]")
    with pytest.raises(InputError, match=r"expected \{key: value\} in .*frame01.json, found list"):
        read_metadata(scan)


def test_metadata_of_a_dicom_file(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian

    header = pydicom.Dataset()
    header.Manufacturer, header.MagneticFieldStrength = "GE", "3.0"
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.3"
    header.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    keys = ("Manufacturer", "MagneticFieldStrength", "EchoTime")
    assert read_dicom_metadata(tmp_path / "one.dcm", keys) == {"Manufacturer": "GE", "MagneticFieldStrength": 3.0}
    (tmp_path / "two.dcm").write_bytes(b"no")
    with pytest.raises(InputError, match=r"two.dcm is not a readable DICOM file"):
        read_dicom_metadata(tmp_path / "two.dcm", keys)
