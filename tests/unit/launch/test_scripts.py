"""The shell texts, run with stand-ins for the programs that they call."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sparkform.launch import scripts
from sparkform.launch.paths import CONTAINER_FOLDER
from tests.unit.launch.golden import list_cases
from tests.unit.launch.racks import plan_rack_launches


def run_script(
    text: str, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`text` with the container's places moved into `folder`."""
    moved = text.replace("/run/sparkform", f"{folder}/run").replace(CONTAINER_FOLDER, str(folder))
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


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


def test_every_planned_script_is_sound_shell(tmp_path: Path) -> None:
    texts = {
        file.text
        for _, declared, secrets in list_cases()
        for launches in plan_rack_launches(declared, secrets=secrets).services.values()
        for launch in launches
        for file in launch.files
        if file.text.startswith("#!/bin/sh")
    }
    assert len(texts) > 5
    (tmp_path / "all").write_text(
        "\n".join(f"check_{number}() {{\n{text}\n}}" for number, text in enumerate(texts))
    )
    result = subprocess.run(
        ["/bin/sh", "-n", str(tmp_path / "all")], capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_unsound_shell_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("if true; then\n")
    assert subprocess.run(["/bin/sh", "-n", str(tmp_path / "bad")], capture_output=True).returncode


def test_the_images_own_entrypoint_runs_first_and_once(tmp_path: Path) -> None:
    write_program(tmp_path / "nvidia/nvidia_entrypoint.sh", 'echo prepared\nexec "$@"\n')
    text = scripts.join_script(scripts.IMAGE_ENTRYPOINT, scripts.EXEC_ARGUMENTS)
    result = run_script(text, tmp_path, "sh", "-c", 'echo "engine ${SPARKFORM_STARTED:-}"')
    assert result.stdout.split("\n") == ["prepared", "engine ", ""]


def test_without_an_entrypoint_the_engine_starts_at_once(tmp_path: Path) -> None:
    text = scripts.join_script(scripts.IMAGE_ENTRYPOINT, scripts.EXEC_ARGUMENTS)
    assert run_script(text, tmp_path, "echo", "one argument", "two").stdout == "one argument two\n"


def test_the_api_key_reaches_the_engine_s_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame open\n")
    text = scripts.join_script(
        scripts.render_api_key_reader(str(tmp_path / "key")), scripts.EXEC_ARGUMENTS
    )
    result = run_script(text, tmp_path, "sh", "-c", 'echo "[$VLLM_API_KEY]"')
    assert result.stdout == "[sesame open]\n"


@pytest.mark.parametrize("content", [None, ""])
def test_without_the_api_key_nothing_starts(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    text = scripts.join_script(
        scripts.render_api_key_reader(str(tmp_path / "key")), scripts.EXEC_ARGUMENTS
    )
    result = run_script(text, tmp_path, "echo", "open to all")
    assert (result.returncode != 0, result.stdout) == (True, "")


def run_wait(folder: Path, ssh: str) -> subprocess.CompletedProcess[str]:
    (folder / "hostfile").write_text("10.0.0.11 slots=1\n10.0.0.12 slots=1\n10.0.0.13 slots=1\n")
    write_program(folder / "ssh", ssh)
    return run_script(
        scripts.join_script(scripts.WAIT_FOR_WORKERS, scripts.EXEC_ARGUMENTS),
        folder,
        "echo",
        "mpirun",
    )


def test_the_head_waits_for_each_worker_and_not_for_itself(tmp_path: Path) -> None:
    """Each worker refuses twice before it answers."""
    count = f'echo x >> {tmp_path}/$2; [ "$(wc -l < {tmp_path}/$2)" -gt 2 ]\n'
    result = run_wait(tmp_path, count)
    assert result.stdout.split("\n") == [
        "sparkform: 10.0.0.12 is ready for the launch",
        "sparkform: 10.0.0.13 is ready for the launch",
        "mpirun",
        "",
    ]
    assert not (tmp_path / "10.0.0.11").exists()


def test_a_wrong_host_key_ends_the_wait_at_once(tmp_path: Path) -> None:
    result = run_wait(tmp_path, "echo 'Host key verification failed.' >&2; exit 255\n")
    assert (result.returncode, result.stdout) == (1, "")
    assert "10.0.0.12 refuses the launch: Host key verification failed." in result.stderr


def test_a_worker_that_never_comes_ends_the_wait(tmp_path: Path) -> None:
    limit = f"+ {scripts.WAIT_LIMIT_S}"
    assert limit in scripts.WAIT_FOR_WORKERS
    (tmp_path / "hostfile").write_text("10.0.0.11 slots=1\n10.0.0.12 slots=1\n")
    write_program(tmp_path / "ssh", "echo 'Connection refused' >&2; exit 255\n")
    short = scripts.WAIT_FOR_WORKERS.replace(limit, "+ 0")
    result = run_script(
        scripts.join_script(short, scripts.EXEC_ARGUMENTS), tmp_path, "echo", "mpirun"
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "10.0.0.12 was not reached" in result.stderr


def test_a_rank_gets_its_own_node_s_environment_back(tmp_path: Path) -> None:
    save_script = scripts.join_script(scripts.SAVE_ENVIRONMENT, scripts.EXEC_ARGUMENTS)
    run_script(save_script, tmp_path, "true", NCCL_SOCKET_IFNAME="wlP9s9", QUOTED="it's $HOME")
    assert (tmp_path / "run/environment").stat().st_mode & 0o077 == 0
    print_variables = ("sh", "-c", 'echo "$NCCL_SOCKET_IFNAME|$QUOTED|$OMPI_COMM_WORLD_RANK"')
    result = run_script(
        scripts.RANK_SCRIPT,
        tmp_path,
        *print_variables,
        NCCL_SOCKET_IFNAME="head",
        OMPI_COMM_WORLD_RANK="1",
    )
    assert result.stdout == "wlP9s9|it's $HOME|1\n"
