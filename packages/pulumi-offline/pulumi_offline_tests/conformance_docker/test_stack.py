"""Things on a node by real runs of `pulumi`."""

from __future__ import annotations

from typing import Any

from pulumi_offline_tests.conformance_docker.specs import encoded
from pulumi_offline_tests.conformance_docker.stack import Stack

CONTAINER = {
    "name": "engine",
    "image": "busybox:1",
    "command": ["sleep", "1000"],
    "network_mode": "host",
    "labels": [{"label": "token", "value": "abc-1"}],
}


def service(token: str) -> dict[str, Any]:
    return {
        "name": "ranks",
        "labels": [{"label": "token", "value": token}],
        "task_spec": {
            "container_spec": {"image": "busybox:1", "commands": ["sleep", "1000"]},
            "restart_policy": {"condition": "none", "delay": "0s", "window": "0s"},
        },
    }


def all_kinds() -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        "image": ("RemoteImage", {"name": "busybox:1", "keep_locally": True}),
        "engine": ("Container", dict(CONTAINER)),
        "ranks": ("Service", service("abc-1")),
        "token": ("Secret", {"data": encoded("never to be seen")}),
        "options": ("ServiceConfig", {"data": encoded("fast: true")}),
        "net": ("Network", {"name": "net", "driver": "bridge"}),
    }


def test_things_are_made_kept_changed_one_by_one_and_taken_back(stack: Stack) -> None:
    stack.things = all_kinds()
    assert "8 created" in stack.up()
    ids = {name: item["id"] for name, item in stack.resources().items()}
    assert len(ids) == 6
    again = stack.up()
    assert "8 unchanged" in again
    assert "created" not in again

    stack.things["ranks"] = ("Service", service("abc-2"))
    changed = stack.up()
    assert "1 updated" in changed
    assert "7 unchanged" in changed
    (document,) = stack.node.docker.services()
    assert document["Spec"]["Labels"] == {"token": "abc-2"}

    stack.things["engine"] = ("Container", {**CONTAINER, "command": ["sleep", "2000"]})
    assert "1 replaced" in stack.up()
    now = {name: item["id"] for name, item in stack.resources().items()}
    assert {name for name in ids if ids[name] != now[name]} == {"engine"}
    assert len(stack.node.docker.containers(filters={"name": "engine"})) == 1

    assert "8 deleted" in stack.run("destroy", "--yes", "--skip-preview")
    docker = stack.node.docker
    assert docker.services() == docker.secrets() == docker.configs() == []
    assert docker.images("busybox:1"), "the image was to be kept"


def test_secret_data_are_never_in_plain_state_or_output(stack: Stack) -> None:
    stack.things = {"token": ("Secret", {"data": encoded("never to be seen")})}
    message = stack.up()
    state = stack.project.good("stack", "export")
    revealed = stack.project.good("stack", "export", "--show-secrets")
    assert encoded("never to be seen") in revealed, "the control: it is there"
    assert encoded("never to be seen") not in state + message
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_refresh_sees_what_others_did_and_an_up_repairs_it(stack: Stack) -> None:
    stack.things = {"engine": ("Container", dict(CONTAINER)), "ranks": ("Service", service("a"))}
    stack.up()
    docker = stack.node.docker
    docker.remove_container("engine", force=True)
    docker.remove_service("ranks")
    assert "2 deleted" in stack.run("refresh", "--yes", "--skip-preview")
    assert "2 created" in stack.up()
    docker.stop("engine", timeout=0)
    stack.run("refresh", "--yes", "--skip-preview")
    assert "1 updated" in stack.up()
    assert docker.inspect_container("engine")["State"]["Running"]
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_missing_service_fails_destroy_and_a_missing_container_does_not(stack: Stack) -> None:
    stack.things = {"engine": ("Container", dict(CONTAINER)), "ranks": ("Service", service("a"))}
    stack.up()
    stack.node.docker.remove_container("engine", force=True)
    stack.node.docker.remove_service("ranks")
    message = stack.failing("destroy", "--yes", "--skip-preview")
    assert "Error deleting service with ID" in message
    assert list(stack.resources()) == ["ranks"]


def test_a_container_that_did_not_start_is_in_the_state_and_is_replaced(stack: Stack) -> None:
    stack.things = {"engine": ("Container", {**CONTAINER, "command": ["/no-such-program"]})}
    message = stack.failing("up", "--yes", "--skip-preview")
    assert "Unable to start container" in message
    assert list(stack.resources()) == ["engine"]
    stack.things = {"engine": ("Container", dict(CONTAINER))}
    assert "1 replaced" in stack.up()
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_name_that_is_taken_fails_up_and_leaves_the_other_alone(stack: Stack) -> None:
    stack.node.docker.create_container("busybox:1", command=["true"], name="engine")
    stack.things = {"engine": ("Container", dict(CONTAINER))}
    assert '"/engine" is already in use' in stack.failing("up", "--yes", "--skip-preview")
    assert stack.resources() == {}
    assert len(stack.node.docker.containers(all=True)) == 1
