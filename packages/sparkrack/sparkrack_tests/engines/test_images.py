"""What the engines' images are made of, where nodes see vLLM, and how a model is named."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from node.host.paths import VIRTUALENV
from pulumi_offline.engines import vllm_recipe
from sparkform.errors import InputError
from sparkform.launch.versions import Version, parse_tag_version
from sparkrack import commands
from sparkrack.engines import catalogue, images, native, tiny, vllm
from sparkrack.engines.catalogue import EngineName
from sparkrack.layout import SimulatedRack
from sparkrack.shape import RackFabric, RackShape

RACK = SimulatedRack("r", IPv4Network("10.87.7.0/24"), RackShape(2, RackFabric.DIRECT))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `make setup ENGINE=vllm` leaves it."""
    folder = tmp_path / "vllm-0123"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setattr(vllm, "LINK", tmp_path / "link")
    return folder


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "LINK", tmp_path / "link")


def test_the_product_reads_the_version_that_the_stand_in_has() -> None:
    stand_in_recipe = catalogue.build_recipe(EngineName.TRTLLM, "1.3.0rc5")
    assert parse_tag_version(stand_in_recipe.reference) == Version(1, 3, 0, 5)
    assert stand_in_recipe.environment["TRTLLM_STAND_IN_VERSION"] == "1.3.0rc5"
    assert parse_tag_version(catalogue.VLLM_CPU) == Version(0, 32, 0)


def test_an_image_is_named_by_all_that_it_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one")
    recipe = images.Recipe("a:1", tmp_path, {"/x": tmp_path / "file"}, {"A": "1"}, ("serve",))
    names = [recipe.local_name]
    names.append(replace(recipe, environment={"A": "2"}).local_name)
    names.append(replace(recipe, entrypoint=()).local_name)
    names.append(replace(recipe, files={}).local_name)
    (tmp_path / "file").write_text("two")
    names.append(recipe.local_name)
    assert len(set(names)) == 5
    assert replace(recipe, reference="b:1").local_name == recipe.local_name


def test_entry_and_environment_are_as_docker_takes_them() -> None:
    recipe = images.Recipe("a:1", Path("x"), {}, {"A": "1"}, ("vllm", "serve"))
    assert recipe.changes[:2] == ["ENV A=1", 'ENTRYPOINT ["vllm", "serve"]']
    assert "ENTRYPOINT []" in replace(recipe, entrypoint=()).changes


@pytest.mark.usefixtures("nothing_installed")
def test_without_vllm_everything_that_needs_it_says_how_to_get_it() -> None:
    assert vllm.list_mounts() == []
    for build in (catalogue.build_vllm_recipe, tiny.compute_revision):
        with pytest.raises(InputError, match="run `make setup ENGINE=vllm`"):
            build()


def test_a_node_sees_vllm_read_only_where_its_scripts_look_for_it(installed: Path) -> None:
    line = commands.create_node(RACK.nodes[0], "image", {"sparkform.rack.name": "r"})
    assert f"--volume={installed}:{vllm_recipe.PREFIX}:ro" in line
    assert catalogue.build_vllm_recipe().environment["RACK_MOUNT"] == vllm_recipe.PREFIX
    script = catalogue.build_vllm_recipe().overlay / "usr" / "local" / "bin" / "vllm"
    assert f"exec {vllm_recipe.PREFIX}/bin/python" in script.read_text()


def test_native_services_find_it_where_the_product_looks() -> None:
    assert native.VIRTUALENV_PATH == VIRTUALENV
    for name, value in catalogue.CPU_VARIABLES.items():
        assert f"export {name}={value}\n" in native.render_python_wrapper()
    assert native.render_python_wrapper().endswith(f'exec {vllm.PREFIX}/bin/python "$@"\n')


@pytest.mark.usefixtures("installed")
def test_the_models_revision_has_the_form_of_a_commit() -> None:
    assert len(tiny.compute_revision()) == 40
    assert set(tiny.compute_revision()) <= set("0123456789abcdef")
