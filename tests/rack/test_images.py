"""A service's image gets to all its nodes: pulled once, then sent on, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.images.reference import to_local_name
from sparkrack import registry
from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture
def stack(machines: RackHandle, tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment.create(machines, tmp_path)
    deployment.declare_memory()
    yield deployment
    deployment.destroy()


def publish_image(machines: RackHandle, name: str, port: int = registry.PORT) -> tuple[str, str]:
    """The tiny engine in a registry and on no node; its reference and its digest."""
    tiny_engine.install(machines)
    reference = f"{registry.get_address(machines.rack, port)}/{name}"
    secret = registry.get_password_file(machines.rack.name).read_text()
    login = f"docker login -u '{registry.USER}' --password-stdin {reference.partition('/')[0]}"
    push = f"docker push {reference} | sed -n 's/.*digest: \\(sha256:[0-9a-f]*\\).*/\\1/p'"
    script = f"docker tag {tiny_engine.IMAGE} {reference}; {login} > /dev/null 2>&1; {push}"
    folder = "export DOCKER_CONFIG=$(mktemp -d); "
    pushed = machines.must("spark-1", f'sudo sh -c "{folder} {_quote(script)}"', secret)
    machines.must("spark-1", f"sudo docker rmi {reference}")
    for host in machines.hosts:
        machines.must(host, f"sudo docker rmi {tiny_engine.IMAGE}")
    return reference, pushed.strip()


def _quote(script: str) -> str:
    return script.replace("\\", "\\\\").replace("$", "\\$").replace('"', '\\"')


def list_image_ids(machines: RackHandle, name: str) -> set[str]:
    ask = f"sudo docker image inspect --format '{{{{.Id}}}}' {name}"
    return {machines.must(host, ask).strip() for host in machines.hosts}


def test_an_image_is_pulled_once_and_is_the_same_on_all_nodes(
    machines: RackHandle, stack: Deployment
) -> None:
    reference, _ = publish_image(machines, "tiny:1")
    before = compute_digest(machines)
    stack.services = {"qwen": tiny_engine.build_service(tensorParallel=2, image=reference)}
    messages = stack.preview().messages
    assert f"spark-1 image:qwen: image {reference} is missing, will be pulled" in messages
    assert (
        f"spark-2 image:qwen: image {reference} is missing, will be copied from spark-1" in messages
    )
    stack.up()
    assert len(list_image_ids(machines, reference)) == 1
    assert tiny_engine.request_answer(machines, "spark-1").endswith("200")
    assert stack.up().changed == set()

    machines.must("spark-2", f"sudo docker rm -f sparkform-qwen-1; sudo docker rmi {reference}")
    assert stack.up().changed_steps >= {"spark-1-offer-image-qwen", "spark-2-image-qwen"}
    assert len(list_image_ids(machines, reference)) == 1
    stack.destroy()
    assert list_changes(before, compute_digest(machines)) == []


def test_an_image_that_a_digest_pins_has_one_name_on_all_nodes(
    machines: RackHandle, stack: Deployment
) -> None:
    reference, pushed = publish_image(machines, "pinned:1")
    pinned = f"{reference}@{pushed}"
    stack.services = {"qwen": tiny_engine.build_service(tensorParallel=2, image=pinned)}
    stack.up()
    assert len(list_image_ids(machines, to_local_name(pinned))) == 1
    assert tiny_engine.request_answer(machines, "spark-1").endswith("200")
    assert stack.up().changed == set()


def test_what_a_registry_does_not_hand_out_is_said(machines: RackHandle, stack: Deployment) -> None:
    reference, _ = publish_image(machines, "private:1", registry.PRIVATE_PORT)
    missing_image = f"{registry.get_address(machines.rack)}/tiny:none"
    refused = [
        (missing_image, None, f"has no {missing_image}: the name or the tag is wrong"),
        (reference, None, "pulumi config set --secret sparkform:registryPassword"),
        (reference, "wrong", "does not accept sparkform:registryPassword"),
    ]
    for image, password, sentence in refused:
        if password:
            stack.set_secret("registryPassword", password)
        stack.services = {"qwen": tiny_engine.build_service(tensorParallel=2, image=image)}
        failed = stack.run("up", "--yes", "--skip-preview")
        assert failed.exit_code != 0
        assert sentence in " ".join(" ".join(failed.errors).split())
    password = registry.get_password_file(machines.rack.name).read_text()
    stack.set_secret("registryPassword", password)
    stack.up()
    assert len(list_image_ids(machines, reference)) == 1
    for host in machines.hosts:
        search = "sudo grep -rl PASSWORD /etc /root /home /run /var/lib/sparkform || true"
        assert machines.must(host, search.replace("PASSWORD", password)) == ""
