"""Models get to the nodes: from the hub to the first one, and from there to the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkrack import hub
from sparkrack.hub import ModelSource
from sparkrack.hub.content import HubRepository
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle
from tests.support.secret_scan import (
    Needles,
    scan_files,
    scan_folder,
    scan_journal,
    watch_processes,
)
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

MODELS = "/var/lib/sparkform/models/hub"


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture
def stack(machines: RackHandle, tmp_path: Path) -> Iterator[Deployment]:
    """A stack of its own for each test, and no model before or after it."""
    deployment = Deployment.create(machines, tmp_path)
    deployment.cluster["keepModels"] = False
    hub.set_pace(machines.rack, 0)
    yield deployment
    hub.set_pace(machines.rack, 0)
    deployment.destroy()


def get_root(handle: str) -> str:
    return f"{MODELS}/models--{handle.replace('/', '--')}"


def read_contents(machines: RackHandle, host: str, handle: str) -> dict[str, str]:
    """sha256 by name of what an engine sees of a model."""
    script = f"cd {get_root(handle)}/snapshots/* && sha256sum *"
    lines = machines.must(host, script).splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def is_complete(repository: HubRepository, digests: dict[str, str]) -> bool:
    large = {file.path: file.sha256 for file in repository.files if file.sha256}
    return (
        set(digests) == {file.path for file in repository.files}
        and large.items() <= digests.items()
    )


def list_downloads(machines: RackHandle, handle: str) -> list[str]:
    """Requests for files of a model: method, target, range, status."""
    return [line for line in hub.list_requests(machines.rack) if f"GET /{handle}/resolve" in line]


def await_on(machines: RackHandle, host: str, script: str) -> None:
    """Until the script succeeds there."""
    wait_until(lambda: machines.ask(host, script).returncode == 0, f"{host}: {script}", 120)


def test_a_model_is_downloaded_once_and_spread_and_then_left_alone(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/once"
    repository = hub.add(machines.rack, handle, ModelSource(shards=3, shard_mib=24))
    stack.cluster["models"] = [handle]
    assert [line for line in stack.preview().messages if "acme" in line] == [
        "spark-1 model:acme--once: acme/once is missing, will be downloaded",
        "spark-1 offer:model-acme--once: model:acme--once will be offered to spark-2",
        "spark-2 model:acme--once: acme/once is missing, will be copied from spark-1",
    ]
    outcome = stack.up()
    assert [line for line in outcome.printed if "acme/once: received 72 MiB" in line]
    for host in machines.hosts:
        assert is_complete(repository, read_contents(machines, host, handle))
        assert machines.must(host, f"cat {get_root(handle)}/refs/main") == repository.commit
        assert machines.must(host, f"find {get_root(handle)} ! -user nvidia") == ""
    assert len(list_downloads(machines, handle)) == len(repository.files)
    assert stack.up().changed == set()
    shard = f"{get_root(handle)}/snapshots/*/model-00001-of-00003.safetensors"
    damage = f"printf x | sudo dd of=$(echo {shard})"
    machines.must("spark-2", f"{damage} bs=1 seek=1000 conv=notrunc")
    assert not is_complete(repository, read_contents(machines, "spark-2", handle))
    assert [line for line in stack.preview().messages if "spark-2 model" in line] == [
        "spark-2 model:acme--once: acme/once has changed in model-00001-of-00003.safetensors, "
        "will be copied from spark-1"
    ]
    mended = stack.up()
    assert mended.changed_steps == {"spark-1-offer-model-acme--once", "spark-2-model-acme--once"}
    assert [line for line in mended.printed if "acme/once: received 24 MiB" in line]
    assert is_complete(repository, read_contents(machines, "spark-2", handle))

    # A file of the source itself: the hub is asked for that one alone, and spark-2 for none.
    machines.must("spark-1", f"{damage} bs=1 seek=1000 conv=notrunc")
    before = len(list_downloads(machines, handle))
    stack.up()
    assert is_complete(repository, read_contents(machines, "spark-1", handle))
    assert len(list_downloads(machines, handle)) == before + 1


def test_what_destroy_leaves_is_the_model_and_nothing_else(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/kept"
    repository = hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=8))
    stack.cluster |= {"models": [handle], "keepModels": True}
    stack.up()
    outcome = stack.destroy()
    assert f"model {handle}: kept in {get_root(handle)} (keepModels)" in outcome.printed
    list_folders = "ls -d /opt/sparkform* /run/sparkform* /var/lib/sparkform/* || true"
    for host in machines.hosts:
        assert machines.must(host, list_folders).split() == ["/var/lib/sparkform/models"]
        assert is_complete(repository, read_contents(machines, host, handle))
    # It is used where it is: read once and recorded, asked for nowhere.
    before = len(list_downloads(machines, handle))
    assert [
        line for line in stack.preview().messages if "model:" in line and "offer" not in line
    ] == [
        f"{host} model:acme--kept: acme/kept is present, will be verified"
        for host in machines.hosts
    ]
    assert not [line for line in stack.up().printed if "received" in line]
    assert len(list_downloads(machines, handle)) == before
    for host in machines.hosts:
        machines.must(host, f"sudo rm -r {get_root(handle)}")


def test_a_download_that_was_killed_goes_on_where_it_was(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/long"
    repository = hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=48))
    stack.cluster["models"] = [handle]
    hub.set_pace(machines.rack, 2 * 1024 * 1024)
    with stack.start("up") as run:
        has_begun = f"test $(stat -c %s {get_root(handle)}/blobs/*.incomplete) -gt 4000000"
        await_on(machines, "spark-1", has_begun)
        machines.must("spark-1", "sudo kill -KILL $(pgrep -f '[a]pply model:acme--long' | tail -1)")
        assert run.wait(120) != 0
    await_on(machines, "spark-1", "! pgrep -f 'hub/bin/h[f]'")
    hub.set_pace(machines.rack, 0)
    stack.up()
    ranges = [line.split()[2] for line in list_downloads(machines, handle)]
    assert [
        requested_range
        for requested_range in ranges
        if requested_range.startswith("bytes=") and not requested_range.startswith("bytes=0-")
    ]
    assert is_complete(repository, read_contents(machines, "spark-2", handle))


def test_a_transfer_that_was_killed_goes_on_where_it_was(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/sent"
    repository = hub.add(machines.rack, handle, ModelSource(shards=2, shard_mib=64))
    stack.cluster["models"] = [handle]
    machines.break_("slow-link", "40mbit")
    try:
        with stack.start("up") as run:
            notes = f"{get_root(handle)}/notes.spread.incomplete"
            count = f"import json; print(sum(map(sum, json.load(open('{notes}')).values())))"
            enough = f'test $(python3 -c "{count}") -gt 30000000'
            await_on(machines, "spark-2", enough)
            kill = "sudo kill -KILL $(pgrep -f '[a]pply model:acme--sent' | tail -1)"
            machines.must("spark-2", kill)
            assert run.wait(120) != 0
    finally:
        machines.mend("slow-link")
    outcome = stack.up()
    (received_line,) = [line for line in outcome.printed if "acme/sent: received" in line]
    assert int(received_line.split()[2]) < 105, "what had come was sent again"
    assert is_complete(repository, read_contents(machines, "spark-2", handle))


def expect_refusal(stack: Deployment, machines: RackHandle, handle: str) -> str:
    """Why `up` fails; nothing of the model has been moved by then."""
    before = len(list_downloads(machines, handle))
    failed = stack.run("up", "--yes", "--skip-preview")
    assert failed.exit_code != 0
    assert len(list_downloads(machines, handle)) == before
    return " ".join(" ".join(failed.errors).split())


def test_what_the_hub_does_not_hand_out_is_said_before_a_byte_is_moved(
    machines: RackHandle, stack: Deployment
) -> None:
    handle, token, stranger = "acme/gated", "hf_" + 20 * "a", "hf_" + 20 * "b"
    repository = hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=8), gated=True)
    hub.grant_access(machines.rack, stranger, ["acme/other"])
    stack.cluster["models"] = [handle]
    assert "acme/gated is gated and sparkform:hfToken is not set. Accept" in expect_refusal(
        stack, machines, handle
    )
    stack.set_secret("hfToken", "hf_wrong")
    assert "The hub rejects the token in sparkform:hfToken" in expect_refusal(
        stack, machines, handle
    )
    stack.set_secret("hfToken", stranger)
    assert "the owner of sparkform:hfToken has no access" in expect_refusal(stack, machines, handle)

    hub.grant_access(machines.rack, token, [handle])
    stack.set_secret("hfToken", token)
    hub.set_pace(machines.rack, 4 * 1024 * 1024)
    since = time.time()
    with watch_processes() as watch:
        stack.up()
    needles = Needles({"token": token})
    assert needles.find_in(b"\n".join(watch.environments)) == {"token"}, "the client has it"
    assert not needles.find_in(b"\n".join(watch.arguments))
    assert not scan_folder(stack.folder, needles)
    for host in machines.hosts:
        assert not scan_files(machines, host, since, needles)
        assert not scan_journal(machines, host, needles)
    assert is_complete(repository, read_contents(machines, "spark-2", handle))
    assert stack.up().changed == set()


def test_a_model_that_cannot_fit_is_refused_with_what_it_needs(
    machines: RackHandle, stack: Deployment
) -> None:
    handle = "acme/huge"
    hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=8))
    hub.set_model_size(machines.rack, handle, 10**15)
    stack.cluster["models"] = [handle]
    assert "acme/huge needs 931322.6 GiB in" in expect_refusal(stack, machines, handle)


def test_a_full_disk_is_said_and_made_up_for(machines: RackHandle, stack: Deployment) -> None:
    handle = "acme/full"
    repository = hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=16))
    stack.cluster["models"] = []
    stack.up()
    stack.cluster["models"] = [handle]
    hub.set_pace(machines.rack, 1024 * 1024)
    with stack.start("up") as run:
        await_on(machines, "spark-1", f"ls {get_root(handle)}/blobs/*.incomplete")
        machines.break_("disk-full", "spark-1")
        assert run.wait(120) != 0
    machines.mend("disk-full", "spark-1")
    hub.set_pace(machines.rack, 0)
    assert "full; free some space" in stack.read_output() or "No space left" in stack.read_output()
    stack.up()
    assert is_complete(repository, read_contents(machines, "spark-2", handle))
