import pytest
from regionwise.datasets import kits, read_cases
from regionwise.errors import InputError
from regionwise.nifti import read_header, read_image, read_labels


def write_case(root, name, files=("imaging", "segmentation")):
    (root / name).mkdir(parents=True)
    for file in files:
        (root / name / f"{file}.nii.gz").write_bytes(b"x")


@pytest.mark.parametrize("where", [".", "data"])
def test_the_repository_and_its_data_folder(tmp_path, where):
    write_case(tmp_path / where, "case_00001")
    write_case(tmp_path / where, "case_00000")
    (tmp_path / where / "kits.json").write_text("[]")
    cases = read_cases("kits", tmp_path)
    assert [case["case_id"] for case in cases] == ["case_00000", "case_00001"]
    assert cases[0]["image"].endswith("case_00000/imaging.nii.gz")
    assert cases[0]["label"].endswith("case_00000/segmentation.nii.gz")


def test_a_missing_image_says_where_it_comes_from(tmp_path):
    write_case(tmp_path, "case_00003", ["segmentation"])
    message = (
        r"the image of case_00003 is missing: expected .*imaging\.nii\.gz; download it with the kits19 repository's "
        r"own script: python -m starter_code\.get_imaging"
    )
    with pytest.raises(InputError, match=message):
        read_cases("kits", tmp_path)


def test_the_test_set_has_no_labels_and_is_no_error(tmp_path):
    write_case(tmp_path, "case_00209")
    write_case(tmp_path, "case_00210", ["imaging"])
    assert [case["case_id"] for case in read_cases("kits", tmp_path)] == ["case_00209"]


def test_a_training_case_without_its_label_is_an_error(tmp_path):
    write_case(tmp_path, "case_00209", ["imaging"])
    with pytest.raises(InputError, match=r"the label of case_00209 is missing: .*clone the kits19 repository again"):
        read_cases("kits", tmp_path)


def test_the_papers_split_is_of_the_first_210_cases():
    names = ["case_00000", "case_00001", "case_00208", "case_00209", "case_00210", "case_90001"]
    assert kits.paper_split(names) == (["case_00000", "case_00208"], ["case_00001", "case_00209"])


def test_the_real_layout(real_data):
    (case,) = read_cases("kits", real_data / "kits_layout_totalsegmentator")
    image, label = read_image(case["image"]), read_labels(case["label"])
    assert image.array.shape == label.array.shape == (30, 101, 122), "slice, row, column"
    assert image.spacing_mm == pytest.approx((3, 3, 3))


def test_the_real_labels_come_without_images(real_data):
    with pytest.raises(InputError, match=r"the image of case_00015 is missing.*get_imaging \(and 3 more such cases"):
        read_cases("kits", real_data / "kits19_labels")


@pytest.mark.parametrize(
    ("name", "shape", "spacing_mm", "dtype", "sform_code"),
    [
        ("case_00015", (75, 512, 512), (3, 0.705, 0.705), "uint16", 0),
        ("case_00061", (29, 512, 512), (5, 0.977, 0.977), "uint8", 2),
        ("case_00160", (252, 512, 796), (1, 0.451, 0.451), "uint8", 2),
    ],
)
def test_both_header_variants_and_the_wide_case(real_data, name, shape, spacing_mm, dtype, sform_code):
    path = real_data / "kits19_labels" / name / "segmentation.nii.gz"
    header = read_header(path)
    assert (header.get_data_dtype(), int(header.header["sform_code"])) == (dtype, sform_code)
    label = read_labels(path)
    assert label.array.shape == shape
    assert label.array.dtype == "uint8" and label.array.max() == 2
    assert label.spacing_mm == pytest.approx(spacing_mm, abs=1e-3)
    # Slices run down, rows to the back, columns to the left.
    assert [int(abs(row).argmax()) for row in label.affine[:3, :3]] == [2, 1, 0]
