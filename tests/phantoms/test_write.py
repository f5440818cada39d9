import hashlib

import numpy as np
import pytest
from regionwise.cli import main
from regionwise.datasets import LABELS, read_cases, split_cases, to_classes
from regionwise.datasets.check import check
from regionwise.errors import InputError
from regionwise.nifti import read_header, read_image, read_labels
from regionwise.phantoms import acdc
from regionwise.phantoms.write import PHANTOMS, phantom

# The default sizes of the small preset, and enough subjects for one that lacks a structure.
SUBJECTS = {"acdc": 4, "brats": 3, "kits": 6, "msd": 3}


@pytest.fixture(scope="module", params=PHANTOMS)
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / request.param
    phantom(request.param, str(folder), subjects=SUBJECTS[request.param], preset="small")
    return request.param, folder


@pytest.fixture(scope="module")
def loaded(written):
    """Return the dataset's name and, per case, its images and its class indices."""
    return written[0], load(*written)


def load(dataset, folder):
    cases = []
    for case in read_cases(dataset, folder):
        paths = [case["image"]] if isinstance(case["image"], str) else case["image"]
        labels = read_labels(case["label"])
        cases.append(([read_image(path) for path in paths], to_classes(dataset, labels.array), case))
    return cases


def test_it_is_read_as_the_dataset_and_has_no_errors(written, capsys):
    dataset, folder = written
    assert check(dataset, str(folder)) == 0
    assert " 0 errors" in capsys.readouterr().out
    sides = split_cases(dataset, read_cases(dataset, folder), **({"folds": 3} if dataset == "msd" else {}))
    assert sides["train"] and sides["val"]


def test_every_class_occurs_and_none_fills_the_image(loaded):
    dataset, cases = loaded
    for index in LABELS[dataset]:
        assert any((labels == index).any() for _, labels, _ in cases), LABELS[dataset][index]
    assert all(0.3 < (labels == 0).mean() < 0.999 for _, labels, _ in cases)


def test_some_case_lacks_a_structure(loaded):
    dataset, cases = loaded
    lacking = [len(np.unique(labels)) < len(LABELS[dataset]) for _, labels, _ in cases]
    assert any(lacking) == (dataset != "msd")
    assert not all(lacking)


def test_no_threshold_finds_a_structure(loaded):
    """The best band of z-scores, one for all cases, chosen with the labels known: no rival of a network."""
    dataset, cases = loaded
    dice = {}
    for index, name in LABELS[dataset].items():
        present = [(images, labels == index) for images, labels, _ in cases if (labels == index).any()]
        channels = range(len(present[0][0]))
        dice[name] = max(
            np.mean([_band_dice(images[c].array, mask) for images, mask in present], axis=0).max() for c in channels
        )
    del dice["background"]
    assert np.mean(list(dice.values())) < 0.5, dice
    assert max(dice.values()) < 0.8, dice


def _band_dice(image, mask):
    """Return the Dice of every band between two of 64 thresholds, (low, high)."""
    bins = np.digitize((image - image.mean()) / image.std(), np.linspace(-2.5, 6, 64))
    inside = np.concatenate(([0], np.cumsum(np.bincount(bins[mask], minlength=65))))
    everywhere = np.concatenate(([0], np.cumsum(np.bincount(bins.ravel(), minlength=65))))
    hits, size = (np.triu(total[None] - total[:, None]) for total in (inside, everywhere))
    return 2 * hits / (size + mask.sum())


@pytest.mark.parametrize("dataset", PHANTOMS)
def test_contrast_differs_between_subjects(dataset, tmp_path):
    phantom(dataset, str(tmp_path / dataset), subjects=6, size=40, preset="small")
    means = []
    for case in read_cases(dataset, tmp_path / dataset):
        image = read_image(case["image"] if isinstance(case["image"], str) else case["image"][0]).array
        label = read_labels(case["label"]).array
        means.append(image[label == 1].mean() if (label == 1).any() else np.nan)
    # CT has absolute units: there only the contrast agent differs. MRI has none.
    spread = np.nanmax(means) - np.nanmin(means) if dataset == "kits" else np.nanmax(means) / np.nanmin(means)
    assert spread > (20 if dataset == "kits" else 2), means


@pytest.mark.parametrize("dataset", PHANTOMS)
def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_subjects(dataset, tmp_path):
    for name, subjects, seed in (("first", 2, 0), ("again", 1, 0), ("other", 1, 1)):
        phantom(dataset, str(tmp_path / name), subjects=subjects, seed=seed, size=40, preset="small")
    first, again, other = (_digests(tmp_path / name) for name in ("first", "again", "other"))
    scans = [path for path in again if path.endswith(".nii.gz")]
    assert len(scans) >= 2
    for path in scans:
        assert first[path] == again[path]
        assert other.get(path) != again[path]


def _digests(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_size_is_the_matrix_at_an_unchanged_field_of_view(tmp_path):
    for size in (48, 96):
        phantom("acdc", str(tmp_path / str(size)), subjects=1, size=size, preset="small")
    coarse, fine = (read_labels(read_cases("acdc", tmp_path / str(size))[0]["label"]) for size in (48, 96))
    assert (coarse.array.shape[1], fine.array.shape[1]) == (48, 96)
    volumes_mm3 = [(v.array == acdc.LV).sum() * np.prod(v.spacing_mm) for v in (coarse, fine)]
    assert volumes_mm3[0] == pytest.approx(volumes_mm3[1], rel=0.05)


@pytest.fixture(scope="module")
def heart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heart") / "acdc"
    phantom("acdc", str(folder), subjects=3, preset="small")
    cases = read_cases("acdc", folder)
    return [(case, read_labels(case["label"])) for case in cases]


def test_acdc_ventricles_contract(heart):
    for (first, diastole), (second, systole) in zip(heart[::2], heart[1::2], strict=True):
        assert (first["group"], second["group"]) == ("ED", "ES")
        volumes_ml = [(v.array == acdc.LV).sum() * np.prod(v.spacing_mm) / 1000 for v in (diastole, systole)]
        assert 40 < volumes_ml[0] < 260
        assert 0.2 < volumes_ml[1] / volumes_ml[0] < 0.8


def test_acdc_cavity_tapers_and_lies_within_the_myocardium(heart):
    _, label = heart[0]
    areas = (label.array == acdc.LV).sum((0, 1))
    filled = np.flatnonzero(areas)
    assert areas[filled[0]] > 3 * areas[filled[-1]]
    for z in filled:
        x, y = np.nonzero(label.array[..., z] == acdc.LV)
        around = {label.array[x.min() - 1, y[x.argmin()], z], label.array[x.max() + 1, y[x.argmax()], z]}
        assert around <= {acdc.MYOCARDIUM}


def test_acdc_third_patient_has_no_rv(heart):
    has_rv = [bool((label.array == acdc.RV).any()) for _, label in heart]
    assert has_rv == [True, True, True, True, False, False]


def test_acdc_is_oblique_and_anisotropic(heart):
    for _, label in heart:
        assert 1.4 < label.spacing_mm[0] < 1.7
        assert label.spacing_mm[1] == pytest.approx(label.spacing_mm[0])
        assert 7 <= round(label.spacing_mm[2], 3) <= 10
        assert np.count_nonzero(np.abs(label.affine[:3, :3]) > 0.05) > 6


def test_brats_parts_are_nested_and_the_background_is_zero(tmp_path):
    phantom("brats", str(tmp_path / "brats"), subjects=1, size=64, preset="small")
    (case,) = read_cases("brats", tmp_path / "brats")
    assert case["group"] == "HGG"
    label = read_labels(case["label"]).array
    assert set(np.unique(label)) == {0, 1, 2, 4}
    axes = [np.argwhere(label == value).std(0).mean() for value in (1, 4, 2)]
    assert axes == sorted(axes), "necrosis within the rim within the edema"
    for path in case["image"]:
        image = read_image(path).array
        assert 0.4 < (image == 0).mean() < 0.95
        assert not (label[image == 0] > 0).any()


def test_kits_headers_hu_and_axis_order(tmp_path):
    phantom("kits", str(tmp_path / "kits"), subjects=6, size=64, preset="small")
    cases = read_cases("kits", tmp_path / "kits")
    kinds = set()
    for case in cases:
        header = read_header(case["label"])
        kinds.add((str(header.get_data_dtype()), int(header.header["sform_code"]), int(header.header["qform_code"])))
        image, label = read_image(case["image"]), read_labels(case["label"])
        assert [int(abs(row).argmax()) for row in label.affine[:3, :3]] == [2, 1, 0]
        assert image.array.min() < -950 and 300 < image.array.max() < 3072
        assert image.array[label.array == 1].mean() == pytest.approx(150, abs=60)
    assert kinds == {("uint8", 2, 0), ("uint16", 0, 1)}
    shapes = [read_header(case["image"]).shape for case in cases]
    assert shapes[4][1:] == (64, 100), "the wide case"


def test_kits_has_two_kidneys_left_and_right(tmp_path):
    phantom("kits", str(tmp_path / "kits"), subjects=1, size=64, preset="small")
    label = read_labels(read_cases("kits", tmp_path / "kits")[0]["label"]).array
    halves = [(half > 0).sum() for half in np.split(label[:, :, : label.shape[2] // 2 * 2], 2, axis=2)]
    assert min(halves) > 0.5 * max(halves)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "adcc"], "Unknown dataset 'adcc'; did you mean 'acdc'?"),
        (["--dataset", "kits", "--preset", "hard"], "The preset 'hard' exists for acdc only, found --dataset kits"),
        (["--dataset", "acdc", "--preset", "smal"], "Unknown preset 'smal'; did you mean 'small'?"),
        (["--dataset", "acdc", "--subjects", "0"], "expected subjects to be an integer >= 1, found 0"),
        (["--dataset", "acdc", "--size", "16"], "expected size to be an integer >= 32, found 16"),
        (["--dataset", "acdc", "--seed", "x"], "expected --seed to be an integer, found 'x'"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(tmp_path, capsys, options, message):
    assert main(["phantom", *options, "--out", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"expected --out to be a new or an empty folder, found .*; choose another one"
    ):
        phantom("acdc", str(tmp_path), subjects=1, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


def test_an_empty_folder_is_filled(tmp_path, capsys):
    (tmp_path / "acdc").mkdir()
    assert (
        main(["phantom", "--dataset", "acdc", "--out", str(tmp_path / "acdc"), "--subjects", "1", "--size", "32"]) == 0
    )
    assert capsys.readouterr().out == f"1 synthetic subjects in the layout of acdc: {tmp_path / 'acdc'}\n"
    assert len(read_cases("acdc", tmp_path / "acdc")) == 2


def test_nothing_is_left_of_a_run_that_stops_half_way(tmp_path, monkeypatch):
    write_subject = acdc.write_subject

    def stop_at_the_second(folder, number, rng, size, preset):
        if number == 2:
            raise KeyboardInterrupt
        write_subject(folder, number, rng, size, preset)

    monkeypatch.setattr(acdc, "write_subject", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        phantom("acdc", str(tmp_path / "acdc"), subjects=3, size=32)
    assert list(tmp_path.iterdir()) == []
