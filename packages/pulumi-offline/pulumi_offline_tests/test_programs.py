"""What a program gets from the language host, seen in real runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pulumi_offline_tests.project import PASSING_PACK, ROOT, Project, only_our_language_host
from tests.support.processes import create_mark, list_remaining

SEEN = """
    import json, pathlib, sys
    config = pulumi.Config()
    seen = {
        "plain": config.get("plain"),
        "secret": config.get("secret"),
        "plain is secret": pulumi.runtime.is_config_secret("tiny:plain"),
        "secret is secret": pulumi.runtime.is_config_secret("tiny:secret"),
        "organization": pulumi.get_organization(),
        "stack": pulumi.get_stack(),
        "parallel": pulumi.runtime.settings.SETTINGS.parallel,
        "preview": pulumi.runtime.is_dry_run(),
        "command line": pathlib.Path("/proc/self/cmdline").read_text(),
    }
    pathlib.Path("seen.json").write_text(json.dumps(seen))
"""


def read_seen(project: Project) -> dict[str, object]:
    seen_values: dict[str, object] = json.loads((project.folder / "seen.json").read_text())
    return seen_values


def create_virtualenv(folder: Path, own_module: str) -> Path:
    """An environment with the packages of .venv and one module that only it has."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (shared,) = (ROOT / ".venv").glob("lib/python3*/site-packages")
    (site / "shared.pth").write_text(f"{shared}\n")
    (site / f"{own_module}.py").write_text("")
    return folder


def test_a_program_gets_its_config_secrets_organization_and_parallelism(project: Project) -> None:
    project.write_program(SEEN)
    project.run_well("config", "set", "plain", "5")
    project.run_well("config", "set", "--secret", "secret", "hush-hush")
    project.run_well("up", "--yes", "--skip-preview", "--parallel", "7")
    values = read_seen(project)
    command_line = str(values.pop("command line"))
    assert values == {
        "plain": "5",
        "secret": "hush-hush",
        "plain is secret": False,
        "secret is secret": True,
        "organization": "organization",
        "stack": "dev",
        "parallel": 7,
        "preview": False,
    }
    assert "tiny" in command_line, "the command line was read, so a secret in it would be seen"
    assert "hush-hush" not in command_line


def test_a_program_knows_that_it_is_only_previewed(project: Project) -> None:
    project.write_program(SEEN)
    project.run_well("preview", "--parallel", "3")
    assert (read_seen(project)["preview"], read_seen(project)["parallel"]) == (True, 3)


def test_a_users_home_is_never_written(project: Project) -> None:
    project.run_well("up", "--yes", "--skip-preview")
    project.run_well("plugin", "ls")
    assert list((project.folder / "home").rglob("*")) == []
    assert list((ROOT / ".toolchain" / "home").rglob("*")), "it is the clone's home that is used"


def test_program_and_policy_pack_run_each_in_the_environment_it_names(project: Project) -> None:
    program_folder = create_virtualenv(project.folder / "for-program", "only_for_program")
    pack_folder = create_virtualenv(project.folder / "for-pack", "only_for_pack")
    project.configure(program_folder)
    project.write_program("import only_for_program, sys\nprint('program in', sys.prefix)")
    pack = project.write_policy_pack(
        "import only_for_pack, sys\nprint('pack in', sys.prefix, file=sys.stderr)" + PASSING_PACK,
        pack_folder,
    )
    output = project.run_well("preview", "--policy-pack", pack)
    assert f"program in {program_folder}" in output
    assert f"pack in {pack_folder}" in output


def test_a_program_does_not_find_the_modules_of_another_environment(project: Project) -> None:
    create_virtualenv(project.folder / "for-program", "only_for_program")
    project.write_program("import only_for_program")
    result = project.run("preview")
    assert result.returncode != 0
    assert "No module named 'only_for_program'" in result.stdout


def test_a_virtualenv_relative_to_the_project_file_is_found(project: Project) -> None:
    create_virtualenv(project.folder / "near", "only_near")
    project.configure(Path("near"))
    project.write_program("import only_near\nprint('found it')")
    assert "found it" in project.run_well("preview")


@only_our_language_host
def test_a_missing_virtualenv_is_told_in_one_sentence(project: Project) -> None:
    project.configure(project.folder / "nowhere")
    result = project.run("preview")
    assert result.returncode != 0
    assert f"{project.folder}/nowhere does not exist" in result.stdout
    assert "Traceback" not in result.stdout


@only_our_language_host
def test_an_option_that_the_host_does_not_know_is_refused_by_name(project: Project) -> None:
    project.configure(toolchain="poetry")
    result = project.run("preview")
    assert result.returncode != 0
    assert "toolchain option must be pip (got 'poetry')" in result.stdout


def test_exit_code_32_ends_the_run_without_another_word(project: Project) -> None:
    project.write_program("import sys\nprint('said what is wrong')\nsys.exit(32)")
    result = project.run("preview")
    assert result.returncode != 0
    assert "said what is wrong" in result.stdout
    assert "exit code" not in result.stdout


def test_any_other_exit_code_is_told(project: Project) -> None:
    project.write_program("import sys\nsys.exit(3)")
    result = project.run("preview")
    assert result.returncode != 0
    assert "program exited with non-zero exit code: 3" in result.stdout


def test_a_program_that_raises_shows_its_own_lines(project: Project) -> None:
    project.write_program("def bring():\n    raise ValueError('no such spark')\nbring()")
    result = project.run("preview")
    assert result.returncode != 0
    assert "in bring" in result.stdout
    assert "ValueError: no such spark" in result.stdout
    assert "runpy" not in result.stdout, "frames above the program help nobody"


def test_what_a_program_starts_ends_with_it(project: Project) -> None:
    mark = create_mark()
    project.extra = mark
    project.write_program("import subprocess\nprint('pid', subprocess.Popen(['sleep', '600']).pid)")
    assert "pid" in project.run_well("preview")
    assert list_remaining(mark, 1.0) == {}
