from __future__ import annotations

import re
import shlex

from hypothesis import given
from hypothesis import strategies as st

from sparkform.launch.native import render_environment_file, render_exec_line
from tests.unit.launch.racks import build_vllm, declare_rack, plan_rack_launches

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")))


@given(argv=st.lists(TEXT, min_size=1))
def test_systemd_reads_back_every_argument(argv: list[str]) -> None:
    """In double quotes systemd knows \\\\ and \\", as a shell does, and %% and $$ everywhere."""
    line = re.sub(r"([%$])\1", r"\1", render_exec_line(argv))
    assert shlex.split(line) == argv


def test_an_unescaped_dollar_would_be_found() -> None:
    assert render_exec_line(["$HOME", "50%"]) == '"$$HOME" "50%%"'


@given(value=TEXT)
def test_systemd_reads_back_every_variable(value: str) -> None:
    (line,) = render_environment_file({"NAME": value}).split("\n")[:-1]
    name, quoted = line.split("=", 1)
    assert name == "NAME"
    assert re.sub(r'\\(["\\`$])', r"\1", quoted[1:-1]) == value


def test_a_unit_runs_as_the_user_and_never_restarts_alone() -> None:
    plan = plan_rack_launches(
        declare_rack("direct", oss=build_vllm("direct", runtime="native")),
        secrets=frozenset({"apiKey"}),
    )
    head, worker = plan.services["oss"]
    for launch in (head, worker):
        unit = next(file.text for file in launch.files if file.path.endswith(".service"))
        assert "User=nvidia\n" in unit
        assert "Restart=no\n" in unit
        assert "TimeoutStopSec=5\n" in unit
        assert "LimitMEMLOCK=infinity\n" in unit
        assert "WantedBy" not in unit
        credential = "LoadCredential=api-key:/var/lib/sparkform/services/oss/secrets/api-key"
        assert (credential in unit) == (launch is head)


def test_the_environment_file_holds_the_launch_s_environment() -> None:
    (launch,) = plan_rack_launches(
        declare_rack("none", oss=build_vllm("none", runtime="native"))
    ).services["oss"]
    text = next(file.text for file in launch.files if file.path.endswith("/environment"))
    assert text == "".join(f'{name}="{value}"\n' for name, value in launch.environment.items())


def test_a_native_rank_runs_the_same_arguments_as_a_container() -> None:
    def list_serve_arguments(runtime: str) -> list[tuple[str, ...]]:
        plan = plan_rack_launches(declare_rack("direct", oss=build_vllm("direct", runtime=runtime)))
        return [launch.argv[launch.argv.index("serve") :] for launch in plan.services["oss"]]

    assert (
        list_serve_arguments("native")
        == list_serve_arguments("container")
        == list_serve_arguments("swarm")
    )
