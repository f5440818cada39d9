"""What packed configurations call: the bundle's own code, and weights to start from."""

import sys

import pytest
import torch
from ignite.engine import Engine
from monai.networks.nets import DynUNet
from regionwise.bundle import packed
from regionwise.bundle.packed import PublishWeights, code_digest, package_files, require_own_code, start_from
from regionwise.errors import InputError


def network(deep_supervision: bool = True, filters=(4, 8, 8, 8)) -> DynUNet:
    return DynUNet(2, 1, 3, [3] * 4, [1, 2, 2, 2], [2] * 3, filters, deep_supervision=deep_supervision)


def test_the_digest_depends_on_names_and_contents():
    files = {"a.py": b"1", "b.py": b"2"}
    assert code_digest(files) == code_digest(dict(reversed(files.items())))
    assert code_digest(files) != code_digest({"a.py": b"2", "b.py": b"1"})


def test_the_packages_own_code_may_run():
    require_own_code("anywhere", code_digest(package_files()))


def test_an_edited_copy_in_the_bundles_own_folder_may_run(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "PACKAGE", tmp_path / "acdc_rrw" / "regionwise")
    require_own_code(str(tmp_path / "acdc_rrw"), "0" * 64)


def test_another_version_of_the_code_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # restored after the test
    with pytest.raises(
        InputError, match=r"was packed with another version of regionwise than this process has imported"
    ):
        require_own_code("anywhere", "0" * 64)
    assert sys.excepthook is packed.show_input_errors_in_one_line


def test_weights_are_loaded_and_the_heads_stay(tmp_path):
    trained, fresh = network(deep_supervision=False), network()
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    heads = {name: value.clone() for name, value in fresh.state_dict().items() if "deep_supervision_heads" in name}
    start_from(fresh, str(tmp_path / "model.pt"))
    state = fresh.state_dict()
    assert heads
    assert all(torch.equal(state[name], value) for name, value in (trained.state_dict() | heads).items())


def test_a_wrapped_network_gets_the_weights_too(tmp_path):
    trained, wrapped = network(deep_supervision=False), torch.nn.DataParallel(network())
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    start_from(wrapped, str(tmp_path / "model.pt"))
    assert all(torch.equal(wrapped.module.state_dict()[name], value) for name, value in trained.state_dict().items())


def test_null_leaves_the_network_as_it_is():
    fresh = network()
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    start_from(fresh, None)
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in before.items())


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(network(deep_supervision=False).state_dict(), tmp_path / "model.pt")
    with pytest.raises(
        InputError, match=r"model.pt does not fit the network: .*; --pretrained null trains from scratch"
    ):
        start_from(network(filters=(4, 8, 16, 16)), str(tmp_path / "model.pt"))


def train_in(bundle, output_dir, content):
    """Write what a training of a bundle leaves, and end it."""
    output_dir.mkdir(parents=True, exist_ok=True)
    (output_dir / "model.pt").write_bytes(content)
    engine = Engine(lambda *_: None)
    PublishWeights(str(bundle), str(output_dir)).attach(engine)
    engine.run([0])


def test_fine_tuned_weights_go_where_tools_look_and_the_packed_ones_are_kept(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "model.pt").write_bytes(b"packed")
    for content in (b"first", b"second"):
        train_in(tmp_path, tmp_path / "finetuned", content)
        assert (models / "model.pt").read_bytes() == content
        assert (models / "model_packed.pt").read_bytes() == b"packed"


def test_a_training_that_writes_elsewhere_leaves_the_bundle_as_it_is(tmp_path):
    models = tmp_path / "bundle" / "models"
    models.mkdir(parents=True)
    (models / "model.pt").write_bytes(b"packed")
    train_in(tmp_path / "bundle", tmp_path / "elsewhere", b"other")
    assert (models / "model.pt").read_bytes() == b"packed"
    assert [file.name for file in models.iterdir()] == ["model.pt"]
