"""metadata.json of each bundle: valid against the schema, and true."""

import json
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import regionwise
from monai.bundle import verify_metadata
from regionwise.datasets import LABELS

from .running import BUNDLES, DATASETS, ROOT, config

SCHEMA = Path(regionwise.__file__).parent / "packaging" / "schema" / "meta_schema_20240725.json"


def read(bundle, name="metadata"):
    return json.loads(config(bundle, name).read_text())


@pytest.mark.parametrize("bundle", BUNDLES)
def test_it_is_valid_against_the_schema(bundle):
    assert read(bundle)["schema"].endswith(SCHEMA.name)
    jsonschema.validate(read(bundle), json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("bundle", BUNDLES)
def test_monai_verifies_it(bundle, tmp_path):
    """With the schema where MONAI would have downloaded it to."""
    (tmp_path / SCHEMA.name).write_text(SCHEMA.read_text())
    verify_metadata(str(config(bundle, "metadata")), filepath=str(tmp_path / SCHEMA.name))


def test_the_schema_is_the_published_one(real_data):
    published = real_data.parent / "schema" / SCHEMA.name
    if not published.is_file():
        pytest.skip(f"no copy of the published schema at {published}")
    assert json.loads(SCHEMA.read_text()) == json.loads(published.read_text())


@pytest.mark.parametrize("bundle", BUNDLES)
def test_it_says_what_the_configuration_does(bundle):
    metadata, train = read(bundle), read(bundle, "train")
    assert config(bundle, "metadata").parents[1].name == train["bundle_root"]["name"]
    assert metadata["name"].endswith("segmentation (RRW)")
    image = metadata["network_data_format"]["inputs"]["image"]
    prediction = metadata["network_data_format"]["outputs"]["pred"]
    assert image["num_channels"] == train["network_def"]["in_channels"] == len(image["channel_def"])
    assert prediction["num_channels"] == train["num_classes"] == len(prediction["channel_def"])
    assert image["spatial_shape"] == prediction["spatial_shape"] == train["patch_size"]
    assert image["modality"] == ("CT" if bundle == "kits" else "MR")
    assert train["num_classes"] == len(LABELS[DATASETS[bundle]]) if DATASETS[bundle] != "msd" else 3


@pytest.mark.parametrize("bundle", BUNDLES)
def test_it_claims_no_results_and_is_no_medical_device(bundle):
    assert "Not a medical device" in read(bundle)["intended_use"]
    assert read(bundle)["eval_metrics"] == {}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_its_versions_are_those_that_are_tested(bundle):
    metadata = read(bundle)
    assert metadata["pytorch_version"] == version("torch").partition("+")[0]
    assert f"torch=={metadata['pytorch_version']}" in (ROOT / "requirements.txt").read_text().split()
    assert metadata["version"] in metadata["changelog"]


def test_the_bundles_name_the_same_versions():
    keys = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version")
    assert len({json.dumps([read(bundle)[key] for key in keys]) for bundle in BUNDLES}) == 1


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_bundle_holds_its_licenses_and_its_card(bundle):
    folder = config(bundle, "metadata").parents[1]
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "not a medical device" in (folder / "docs" / "README.md").read_text().lower()
    assert (folder / "docs" / "data_license.txt").read_text().strip()
