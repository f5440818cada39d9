import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from regionwise.bids import datalist, labeled
from regionwise.bids.derivatives import derivative_name
from regionwise.bids.labels import merge
from regionwise.bids.names import parse_name
from regionwise.errors import InputError
from regionwise.nifti import read_labels

from .trees import write_json, write_tree

T1W = [{"suffix": "T1w"}]


@pytest.fixture
def tree(phantoms, tmp_path):
    return write_tree(tmp_path / "tree", phantoms["hippocampus"])


@pytest.fixture
def cases(tree, tmp_path):
    return lambda images=T1W, **options: datalist("msd", tree, images, tmp_path / "merged", **options)


def scan(tree, name):
    subject, session = name.split("_")[:2]
    return tree / subject / session / "anat" / name


def test_a_case_per_session_with_its_labels(tree, cases):
    first, *others = cases(group="scanner")
    assert [case["case_id"] for case in others] == ["sub-01_ses-2", "sub-02_ses-1", "sub-02_ses-2"]
    label = tree / "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_desc-manual_dseg.nii.gz"
    assert first == {
        "case_id": "sub-01_ses-1",
        "subject_id": "sub-01",
        "image": str(scan(tree, "sub-01_ses-1_T1w.nii.gz")),
        "label": str(label),
        "group": "scanner0",
    }


def test_a_split_keeps_the_sessions_of_a_participant_together(cases):
    sides = [{case["subject_id"] for case in cases(section=side, folds=2)} for side in ("train", "val")]
    assert sorted(map(len, sides)) == [1, 1] and not sides[0] & sides[1]


def test_masks_become_the_labels_they_were_made_of(phantoms, tmp_path):
    tree = write_tree(tmp_path / "tree", phantoms["hippocampus"], masks=True)
    found = datalist("msd", tree, T1W, tmp_path / "merged")
    originals = sorted((phantoms["hippocampus"] / "labelsTr").glob("*.nii.gz"))
    for case, original in zip(found, originals, strict=True):
        assert np.array_equal(read_labels(case["label"]).array, read_labels(original).array)
    assert datalist("msd", tree, T1W, tmp_path / "merged") == found  # made once
    assert len(list((tmp_path / "merged" / "labels").iterdir())) == 4


def test_a_lookup_table_renames_the_values(tree, cases):
    label = tree / "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_desc-manual_dseg.nii.gz"
    image = nib.load(label)
    array = np.asanyarray(image.dataobj)
    nib.save(
        nib.Nifti1Image(np.where(array == 1, 17, np.where(array == 2, 53, 0)).astype(np.uint8), image.affine), label
    )
    table = label.with_name("sub-01_ses-1_desc-manual_dseg.tsv")
    table.write_text("index\tname\n17\tAnterior\n53\tPosterior\n")
    assert np.array_equal(read_labels(cases()[0]["label"]).array, array)
    table.write_text("index\tname\n17\tHead\n53\tPosterior\n")
    with pytest.raises(
        InputError, match=r"expected the names background, anterior, posterior in .*dseg.tsv, found 17 'Head'"
    ):
        cases()


def test_two_scans_of_a_session_need_a_choice(tree, cases):
    first = scan(tree, "sub-01_ses-1_T1w.nii.gz")
    for run in (1, 2):
        shutil.copy(first, scan(tree, f"sub-01_ses-1_run-{run}_T1w.nii.gz"))
    first.unlink()
    message = "expected one T1w of sub-01_ses-1, found 2: sub-01_ses-1_run-1_T1w.nii.gz and sub-01_ses-1_run-2_T1w.nii"
    with pytest.raises(InputError, match=message) as error:
        cases()
    assert str(error.value).endswith("""choose by --choose "{'run': '1'}\"""")
    assert [case["case_id"] for case in cases(choose={"run": "each"})][:2] == [
        "sub-01_ses-1_run-1",
        "sub-01_ses-1_run-2",
    ]
    chosen = cases(choose={"run": [2, None], "ses": 1})
    assert next(case["image"].rpartition("/")[2] for case in chosen) == "sub-01_ses-1_run-2_T1w.nii.gz"


def test_a_session_without_a_scan_is_left_out_and_named(tree, cases, capsys):
    scan(tree, "sub-02_ses-1_T1w.nii.gz").rename(scan(tree, "sub-02_ses-1_T2w.nii.gz"))
    assert len(cases()) == 3
    assert capsys.readouterr().err == "left out 1 of 4: sub-02_ses-1 (no T1w)\n"


def test_cases_without_labels_are_for_prediction(tree, cases, capsys):
    shutil.rmtree(tree / "derivatives/manual/sub-02")
    assert ["label" in case for case in cases()] == [True, True, False, False]
    assert len(labeled(cases())) == 2
    assert len(cases(labeled_only=True)) == 2
    assert capsys.readouterr().err == "left out 2 of 4: sub-02_ses-1 (no labels), sub-02_ses-2 (no labels)\n"
    with pytest.raises(InputError, match="expected labels to evaluate with in the tree's derivatives, found none"):
        labeled(cases(labels="none"))
    with pytest.raises(InputError, match="found none with labels"):
        cases(labels=None, labeled_only=True)


def test_what_bidsignore_names_is_not_there(tree, cases):
    (tree / ".bidsignore").write_text("# not yet checked\nsub-02/**\n*_ses-2_*\n")
    with pytest.raises(InputError, match="expected at least as many subjects as folds"):
        cases(section="train", folds=2)
    assert [case["case_id"] for case in cases()] == ["sub-01_ses-1"]


def test_channels_in_the_order_of_the_choice(tree, cases):
    first = scan(tree, "sub-01_ses-1_T1w.nii.gz")
    for name in ("sub-01_ses-1_ce-gadolinium_T1w.nii.gz", "sub-01_ses-1_FLAIR.nii.gz"):
        shutil.copy(first, scan(tree, name))
    found = cases([{"suffix": "FLAIR"}, {"suffix": "T1w", "ce": "*"}, {"suffix": "T1w", "ce": None}])
    assert [path.rpartition("ses-1_")[2] for path in found[0]["image"]] == [
        "FLAIR.nii.gz",
        "ce-gadolinium_T1w.nii.gz",
        "T1w.nii.gz",
    ]
    scans = [parse_name(first.with_name(path.rpartition("/")[2])) for path in found[0]["image"]]
    assert derivative_name(scans, tree).as_posix() == "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz"


def test_labels_of_two_derivatives_need_a_choice(tree, cases):
    shutil.copytree(tree / "derivatives/manual", tree / "derivatives/second")
    with pytest.raises(InputError, match="found manual, second; choose by --labels"):
        cases()
    assert "/second/" in cases(labels="second")[0]["label"]
    with pytest.raises(InputError, match=r"no derivative 'secnd' in .*did you mean 'second'"):
        cases(labels="secnd")


def test_two_raters_need_a_choice(tree, cases):
    folder = tree / "derivatives/manual/sub-01/ses-1/anat"
    shutil.copy(folder / "sub-01_ses-1_desc-manual_dseg.nii.gz", folder / "sub-01_ses-1_desc-second_dseg.nii.gz")
    with pytest.raises(InputError, match="choose one by --label_choice"):
        cases()
    assert cases(label_choice={"desc": "second"}, choose={"sub": "01", "ses": "1"})[0]["label"].endswith(
        "second_dseg.nii.gz"
    )


def test_no_tree_and_wrong_options_are_one_line(tree, cases, tmp_path):
    with pytest.raises(InputError, match="no dataset given: pass --dataset_dir"):
        datalist("msd", None, T1W, tmp_path)
    with pytest.raises(
        InputError, match=r"expected a JSON file at .*dataset_description.json, not found; BIDS asks for it"
    ):
        datalist("msd", tree / "sub-01", T1W, tmp_path)
    write_json(tmp_path / "x" / "dataset_description.json", {"Name": "x"})
    with pytest.raises(InputError, match="expected a BIDSVersion"):
        datalist("msd", tmp_path / "x", T1W, tmp_path)
    with pytest.raises(InputError, match=r"expected bold of the subjects in .*, found none"):
        cases([{"suffix": "bold"}])
    with pytest.raises(InputError, match="Unknown section 'vla'; did you mean 'val'"):
        cases(section="vla")
    with pytest.raises(InputError, match="the paper has no split of a BIDS tree"):
        cases(split="paper")
    with pytest.raises(InputError, match=r"no column 'scaner' in .*did you mean 'scanner'"):
        cases(group="scaner")
    (tree / "participants.tsv").write_text("name\n")
    with pytest.raises(InputError, match=r"expected a column participant_id in .*, found name"):
        cases()


def test_masks_that_overlap_or_lack_a_structure_are_refused(phantoms, tmp_path):
    tree = write_tree(tmp_path / "tree", phantoms["hippocampus"], masks=True)
    folder = tree / "derivatives/manual/sub-01/ses-1/anat"
    anterior, posterior = (folder / f"sub-01_ses-1_label-{name}_mask.nii.gz" for name in ("anterior", "posterior"))
    with pytest.raises(InputError, match="the masks of a case overlap"):
        merge([(str(anterior), {1: 1}), (str(anterior), {1: 2})])
    with pytest.raises(InputError, match=r"expected the values 2 in .*, found 1"):
        merge([(str(anterior), {2: 1})])
    posterior.unlink()
    with pytest.raises(
        InputError, match=r"expected one mask label-posterior for sub-01_ses-1_T1w.nii.gz, found .*anterior"
    ):
        datalist("msd", tree, T1W, tmp_path / "merged")


def test_our_own_predictions_are_no_reference(tree, cases):
    shutil.copytree(tree / "derivatives/manual", tree / "derivatives/regionwise")
    content = json.loads((tree / "derivatives/regionwise/dataset_description.json").read_text())
    write_json(
        tree / "derivatives/regionwise/dataset_description.json", content | {"GeneratedBy": [{"Name": "regionwise"}]}
    )
    assert "/manual/" in cases()[0]["label"]
