"""The small shell scripts that setup writes. Pure, but for writing them."""

from __future__ import annotations

import shlex
from pathlib import Path

from pulumi_offline.files import write_atomically
from pulumi_offline.layout import PACKAGE, Layout

MARK = "made by `make setup` of sparkform"


def write_executable(path: Path, text: str) -> None:
    write_atomically(path, text, mode=0o755)


def render_module_launcher(layout: Layout, module: str, arguments: str = "") -> str:
    """A script that runs a module of this clone with .venv's Python.

    -P keeps the user's project folder, in which Pulumi starts it, off the import path.
    """
    python = shlex.quote(str(layout.virtualenv / "bin" / "python"))
    launch = shlex.quote(str(layout.root / PACKAGE / "launch.py"))
    return f'#!/bin/sh\n# {MARK}\nexec {python} -P {launch} {module} {arguments}"$@"\n'


def render_host_launcher(layout: Layout) -> str:
    executor = shlex.quote(str(layout.cli / "pulumi-language-python-exec"))
    return render_module_launcher(
        layout, "pulumi_offline.language_host", f"--use-executor {executor} "
    )


def render_wrapper(layout: Layout, *, acquire_plugins: bool) -> str:
    """The `pulumi` of this clone: it fills in what the user has not set, then becomes pulumi.

    The backend in the clone and its passphrase come together or not at all: a user's own backend
    never sees our passphrase. A backend is chosen by PULUMI_BACKEND_URL, PULUMI_ACCESS_TOKEN,
    `pulumi login` or `backend:` in Pulumi.yaml.
    """
    settings = {
        "home": layout.home,
        "state": layout.state,
        "project": layout.root / "Pulumi.yaml",
        "passphrase": layout.passphrase,
        "pulumi": layout.cli / "pulumi",
    }
    assigned = "\n".join(f"{name}={shlex.quote(str(path))}" for name, path in settings.items())
    acquisition = "" if acquire_plugins else WITHOUT_ACQUISITION
    wrapper = WRAPPER.replace("@KEPT@", str(KEPT_FILES + 1))
    return f"#!/bin/sh\n# {MARK}\n{assigned}\n{acquisition}{wrapper}"


KEPT_FILES = 60
"""Of each stack in the clone's own backend: the newest of its history, and of its backups. Chosen
here: a run leaves two or three files."""

# A plugin that setup could not get is not tried for again at each run.
WITHOUT_ACQUISITION = """\
: "${PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION:=true}"
export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION
"""

WRAPPER = """\
: "${PULUMI_HOME:=$home}" "${PULUMI_SKIP_UPDATE_CHECK:=true}"
export PULUMI_HOME PULUMI_SKIP_UPDATE_CHECK
logged_in() { grep -qs '"current": *"[^"]' "$PULUMI_HOME/credentials.json"; }
if [ -z "${PULUMI_BACKEND_URL:-}${PULUMI_ACCESS_TOKEN:-}" ] && ! logged_in &&
  ! grep -qs '^backend:' "$project"; then
  export PULUMI_BACKEND_URL="file://$state"
  if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ]; then
    export PULUMI_CONFIG_PASSPHRASE_FILE="$passphrase"
  fi
  # Pulumi keeps a copy of the state for each run and removes none.
  for folder in "$state"/.pulumi/history/*/* "$state"/.pulumi/backups/*/*; do
    [ -d "$folder" ] && ls -t "$folder" | tail -n +@KEPT@ | while read -r file; do
      rm -f "$folder/$file"
    done
  done
fi
exec "$pulumi" "$@"
"""
