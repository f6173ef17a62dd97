"""The shell texts, run with stand-ins for the programs that they call."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sparkform.launch import scripts
from sparkform.launch.places import INSIDE
from tests.unit.launch.golden import cases
from tests.unit.launch.racks import planned


def run(
    text: str, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`text` with the container's places moved into `folder`."""
    moved = text.replace("/run/sparkform", f"{folder}/run").replace(INSIDE, str(folder))
    moved = moved.replace("sleep 2", "sleep 0.01").replace("/opt/nvidia", f"{folder}/nvidia")
    path = folder / "start"
    path.write_text(moved)
    return subprocess.run(
        ["/bin/sh", str(path), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


def test_every_planned_script_is_sound_shell(tmp_path: Path) -> None:
    texts = {
        file.text
        for _, declared, secrets in cases()
        for launches in planned(declared, secrets=secrets).services.values()
        for launch in launches
        for file in launch.files
        if file.text.startswith("#!/bin/sh")
    }
    assert len(texts) > 5
    (tmp_path / "all").write_text(
        "\n".join(f"check_{n}() {{\n{t}\n}}" for n, t in enumerate(texts))
    )
    done = subprocess.run(
        ["/bin/sh", "-n", str(tmp_path / "all")], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_unsound_shell_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("if true; then\n")
    assert subprocess.run(["/bin/sh", "-n", str(tmp_path / "bad")], capture_output=True).returncode


def test_the_images_own_entrypoint_runs_first_and_once(tmp_path: Path) -> None:
    program(tmp_path / "nvidia/nvidia_entrypoint.sh", 'echo prepared\nexec "$@"\n')
    text = scripts.script(scripts.IMAGE_ENTRYPOINT, scripts.RUN)
    done = run(text, tmp_path, "sh", "-c", 'echo "engine ${SPARKFORM_STARTED:-}"')
    assert done.stdout.split("\n") == ["prepared", "engine ", ""]


def test_without_an_entrypoint_the_engine_starts_at_once(tmp_path: Path) -> None:
    text = scripts.script(scripts.IMAGE_ENTRYPOINT, scripts.RUN)
    assert run(text, tmp_path, "echo", "one argument", "two").stdout == "one argument two\n"


def test_the_api_key_reaches_the_engine_s_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame open\n")
    text = scripts.script(scripts.read_api_key(str(tmp_path / "key")), scripts.RUN)
    done = run(text, tmp_path, "sh", "-c", 'echo "[$VLLM_API_KEY]"')
    assert done.stdout == "[sesame open]\n"


@pytest.mark.parametrize("content", [None, ""])
def test_without_the_api_key_nothing_starts(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    text = scripts.script(scripts.read_api_key(str(tmp_path / "key")), scripts.RUN)
    done = run(text, tmp_path, "echo", "open to all")
    assert (done.returncode != 0, done.stdout) == (True, "")


def wait(folder: Path, ssh: str) -> subprocess.CompletedProcess[str]:
    (folder / "hostfile").write_text("10.0.0.11 slots=1\n10.0.0.12 slots=1\n10.0.0.13 slots=1\n")
    program(folder / "ssh", ssh)
    return run(scripts.script(scripts.WAIT_FOR_WORKERS, scripts.RUN), folder, "echo", "mpirun")


def test_the_head_waits_for_each_worker_and_not_for_itself(tmp_path: Path) -> None:
    """Each worker refuses twice before it answers."""
    count = f'echo x >> {tmp_path}/$2; [ "$(wc -l < {tmp_path}/$2)" -gt 2 ]\n'
    done = wait(tmp_path, count)
    assert done.stdout.split("\n") == [
        "sparkform: 10.0.0.12 is ready for the launch",
        "sparkform: 10.0.0.13 is ready for the launch",
        "mpirun",
        "",
    ]
    assert not (tmp_path / "10.0.0.11").exists()


def test_a_wrong_host_key_ends_the_wait_at_once(tmp_path: Path) -> None:
    done = wait(tmp_path, "echo 'Host key verification failed.' >&2; exit 255\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "10.0.0.12 refuses the launch: Host key verification failed." in done.stderr


def test_a_worker_that_never_comes_ends_the_wait(tmp_path: Path) -> None:
    limit = f"+ {scripts.WAIT_LIMIT_S}"
    assert limit in scripts.WAIT_FOR_WORKERS
    (tmp_path / "hostfile").write_text("10.0.0.11 slots=1\n10.0.0.12 slots=1\n")
    program(tmp_path / "ssh", "echo 'Connection refused' >&2; exit 255\n")
    short = scripts.WAIT_FOR_WORKERS.replace(limit, "+ 0")
    done = run(scripts.script(short, scripts.RUN), tmp_path, "echo", "mpirun")
    assert (done.returncode, done.stdout) == (1, "")
    assert "10.0.0.12 was not reached" in done.stderr


def test_a_rank_gets_its_own_node_s_environment_back(tmp_path: Path) -> None:
    keep = scripts.script(scripts.KEEP_ENVIRONMENT, scripts.RUN)
    run(keep, tmp_path, "true", NCCL_SOCKET_IFNAME="wlP9s9", QUOTED="it's $HOME")
    assert (tmp_path / "run/environment").stat().st_mode & 0o077 == 0
    show = ("sh", "-c", 'echo "$NCCL_SOCKET_IFNAME|$QUOTED|$OMPI_COMM_WORLD_RANK"')
    done = run(scripts.RANK, tmp_path, *show, NCCL_SOCKET_IFNAME="head", OMPI_COMM_WORLD_RANK="1")
    assert done.stdout == "wlP9s9|it's $HOME|1\n"
