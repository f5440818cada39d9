import pytest
from regionwise.datasets import acdc, read_cases
from regionwise.errors import InputError


def write_patient(root, name="patient001", info="ED: 1\nES: 12\nGroup: DCM\nNbFrame: 30\n", frames=("01", "12")):
    folder = root / name
    folder.mkdir(parents=True)
    if info is not None:
        (folder / "Info.cfg").write_text(info)
    for frame in frames:
        for suffix in ("", "_gt"):
            (folder / f"{name}_frame{frame}{suffix}.nii.gz").write_bytes(b"x")
    return folder


def test_a_patient_gives_its_ed_and_its_es_case(tmp_path):
    folder = write_patient(tmp_path)
    (folder / "patient001_4d.nii.gz").write_bytes(b"x")
    first, second = read_cases("acdc", tmp_path)
    assert first == {
        "case_id": "patient001_frame01",
        "subject_id": "patient001",
        "image": str(folder / "patient001_frame01.nii.gz"),
        "label": str(folder / "patient001_frame01_gt.nii.gz"),
        "group": "ED",
    }
    assert (second["case_id"], second["group"]) == ("patient001_frame12", "ES")


def test_patients_are_sorted_and_other_files_ignored(tmp_path):
    for name in ("patient010", "patient002", "patient001"):
        write_patient(tmp_path, name)
    (tmp_path / "MANDATORY_CITATION.md").write_text("x")
    (tmp_path / "notes").mkdir()
    assert [case["subject_id"] for case in read_cases("acdc", tmp_path)][::2] == [
        "patient001",
        "patient002",
        "patient010",
    ]


@pytest.mark.parametrize("where", ["training", "database/training"])
def test_the_training_folder_is_read_and_testing_is_not(tmp_path, where):
    write_patient(tmp_path / where, "patient001")
    write_patient((tmp_path / where).parent / "testing", "patient101")
    assert {case["subject_id"] for case in read_cases("acdc", tmp_path)} == {"patient001"}


def test_the_testing_folder_is_read_when_named(tmp_path):
    write_patient(tmp_path / "training", "patient001")
    write_patient(tmp_path / "testing", "patient101")
    assert {case["subject_id"] for case in read_cases("acdc", tmp_path / "testing")} == {"patient101"}


def test_frame_numbers_have_two_digits_and_info_needs_only_ed_and_es(tmp_path):
    write_patient(tmp_path, info="ED: 3\nES:9", frames=("03", "09"))
    assert [case["case_id"] for case in read_cases("acdc", tmp_path)] == ["patient001_frame03", "patient001_frame09"]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ("ES: 12\nGroup: DCM", r"expected a line 'ED: <frame number>' in .*Info\.cfg, found the keys ES, Group"),
        ("ED: first\nES: 12", r"expected a frame number for ED in .*Info\.cfg, found 'first'"),
        ("", r"Info\.cfg of patient001 is an empty file: .*Info\.cfg"),
        (None, r"Info\.cfg of patient001 is missing: expected .*Info\.cfg; download the case again"),
    ],
)
def test_a_wrong_info_file_says_what_is_wrong(tmp_path, info, message):
    write_patient(tmp_path, info=info)
    with pytest.raises(InputError, match=message):
        read_cases("acdc", tmp_path)


def test_a_binary_info_file(tmp_path):
    folder = write_patient(tmp_path)
    (folder / "Info.cfg").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"expected 'key: value' lines in .*Info\.cfg, found no text"):
        read_cases("acdc", tmp_path)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("patient001_frame12_gt.nii.gz", r"the ES label of patient001 is missing: expected .*frame12_gt\.nii\.gz"),
        ("patient001_frame01.nii.gz", r"the ED image of patient001 is missing: expected .*frame01\.nii\.gz"),
    ],
)
def test_a_missing_file_is_named(tmp_path, lost, message):
    (write_patient(tmp_path) / lost).unlink()
    with pytest.raises(InputError, match=message):
        read_cases("acdc", tmp_path)


def test_several_broken_patients_are_counted(tmp_path):
    for number in (1, 2, 3):
        write_patient(tmp_path, f"patient{number:03d}", info="ED: 1\n")
    with pytest.raises(
        InputError, match=r"patient001.*and 2 more such cases: python -m regionwise check --dataset acdc"
    ):
        read_cases("acdc", tmp_path)


def test_another_layout_is_told_apart(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text("{}")
    message = r"expected ACDC in .*: patientNNN/\{Info\.cfg, .*found dataset\.json, imagesTr/"
    with pytest.raises(InputError, match=message):
        read_cases("acdc", tmp_path)


def test_the_paper_trains_on_even_patients():
    assert acdc.paper_split(["patient001", "patient002", "patient010"]) == (
        ["patient002", "patient010"],
        ["patient001"],
    )


def test_the_sunnybrook_patients(real_data):
    cases = read_cases("acdc", real_data / "sunnybrook_acdc_layout")
    assert [(case["case_id"], case["group"]) for case in cases] == [
        ("patient901_frame19", "ED"),
        ("patient901_frame08", "ES"),
        ("patient902_frame20", "ED"),
        ("patient902_frame07", "ES"),
    ]


def test_one_frame_for_both_phases_is_refused(tmp_path):
    write_patient(tmp_path, info="ED: 1\nES: 1\n")
    with pytest.raises(InputError, match=r"expected two frames in .*Info\.cfg, found 1 for both ED and ES"):
        read_cases("acdc", tmp_path)
