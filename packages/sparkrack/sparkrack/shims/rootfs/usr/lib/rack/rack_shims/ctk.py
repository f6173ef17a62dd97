"""`nvidia-ctk`: `--version`, `config` and `runtime configure --runtime=docker`.

Behaviour after cmd/nvidia-ctk and pkg/config/engine/docker of NVIDIA/nvidia-container-toolkit at
tag v1.19.0. Everything else of the real program is refused by name.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from typing import Any, NoReturn

from . import node, toml_text, toolkit

# Keys and types of api/config/v1/config.go; a key outside is "undefined field".
SCHEMA: dict[str, type] = {
    "disable-require": bool,
    "swarm-resource": str,
    "accept-nvidia-visible-devices-envvar-when-unprivileged": bool,
    "accept-nvidia-visible-devices-as-volume-mounts": bool,
    "supported-driver-capabilities": str,
    "nvidia-container-cli.root": str,
    "nvidia-container-cli.path": str,
    "nvidia-container-cli.environment": list,
    "nvidia-container-cli.debug": str,
    "nvidia-container-cli.ldcache": str,
    "nvidia-container-cli.load-kmods": bool,
    "nvidia-container-cli.no-pivot": bool,
    "nvidia-container-cli.no-cgroups": bool,
    "nvidia-container-cli.user": str,
    "nvidia-container-cli.ldconfig": str,
    "nvidia-ctk.path": str,
    "nvidia-container-runtime.debug": str,
    "nvidia-container-runtime.log-level": str,
    "nvidia-container-runtime.runtimes": list,
    "nvidia-container-runtime.mode": str,
    "nvidia-container-runtime.modes.cdi.spec-dirs": list,
    "nvidia-container-runtime.modes.cdi.default-kind": str,
    "nvidia-container-runtime.modes.cdi.annotation-prefixes": list,
    "nvidia-container-runtime.modes.csv.mount-spec-path": str,
    "nvidia-container-runtime.modes.legacy.cuda-compat-mode": str,
    "nvidia-container-runtime-hook.path": str,
    "nvidia-container-runtime-hook.skip-mode-detection": bool,
}
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class _CtkParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        node.refuse("nvidia-ctk", message)


def main(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-v"]):
        print(f"NVIDIA Container Toolkit CLI version {toolkit.render_version()}")
        return 0
    parser = _CtkParser(prog="nvidia-ctk", add_help=False, allow_abbrev=False)
    parser.add_argument("--quiet", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_CtkParser)
    _add_config_options(commands.add_parser("config", add_help=False))
    runtime = commands.add_parser("runtime", add_help=False)
    actions = runtime.add_subparsers(dest="action", required=True, parser_class=_CtkParser)
    _add_runtime_options(actions.add_parser("configure", add_help=False))
    options = parser.parse_args(arguments)
    try:
        return _run_config(options) if options.command == "config" else _configure(options)
    except (OSError, ValueError) as error:
        toolkit.write_log("error", str(error))
        return 1


def _add_config_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config-file", "--config", "-c", default=toolkit.CONFIG)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--in-place", "-i", action="store_true")
    parser.add_argument("--output", "-o", default="")


def _add_runtime_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime", default="docker")
    parser.add_argument("--config", default="/etc/docker/daemon.json")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--nvidia-runtime-name", default="nvidia")
    parser.add_argument(
        "--nvidia-runtime-path", "--runtime-path", default="nvidia-container-runtime"
    )
    parser.add_argument("--nvidia-set-as-default", "--set-as-default", action="store_true")
    parser.add_argument("--cdi.enabled", "--cdi.enable", "--enable-cdi", action="store_true")


def _run_config(options: argparse.Namespace) -> int:
    try:
        text = node.resolve_path(options.config_file).read_text()
    except FileNotFoundError:
        node.refuse("nvidia-ctk", f"what to write when {options.config_file} does not exist")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"unable to create config: failed to load specified config file: {error}"
        ) from error
    for setting in options.set:
        toml_text.set_key(tree, *_parse_setting(setting))
    written = toml_text.dump(tree)
    target = options.config_file if options.in_place else options.output
    if target:
        node.resolve_path(target).parent.mkdir(parents=True, exist_ok=True)
        node.resolve_path(target).write_text(written)
    else:
        print(written, end="")
    return 0


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    start = f"invalid --set option {setting}: "
    if key not in SCHEMA:
        field = _find_undefined(key)
        raise ValueError(f'{start}invalid config option: undefined field: "{field}"')
    if not equals and SCHEMA[key] is bool:
        return key, True
    if not equals:
        raise ValueError(f"{start}invalid format: expected key=value; got {setting}")
    if SCHEMA[key] is bool and value not in BOOLEANS:
        raise ValueError(
            f'{start}invalid format: strconv.ParseBool: parsing "{value}": invalid syntax'
        )
    if SCHEMA[key] is bool:
        return key, BOOLEANS[value]
    if SCHEMA[key] is list:
        return key, value.split(":" if ":" in value else ",")
    return key, value


def _find_undefined(key: str) -> str:
    """The part of a dotted key at which the real program stops looking."""
    parts = key.split(".")
    for depth, part in enumerate(parts):
        prefix = ".".join(parts[: depth + 1])
        if not any(known == prefix or known.startswith(prefix + ".") for known in SCHEMA):
            return part
    return parts[-1]


def _configure(options: argparse.Namespace) -> int:
    if options.runtime != "docker":
        node.refuse("nvidia-ctk", f"--runtime={options.runtime}")
    path = node.resolve_path(options.config)
    daemon: dict[str, Any] = {}
    if path.exists():
        toolkit.write_log("info", f"Loading config from {options.config}")
        daemon = json.loads(path.read_text())
    else:
        toolkit.write_log("info", "Config file does not exist; using empty config")
    daemon.setdefault("runtimes", {})[options.nvidia_runtime_name] = {
        "path": options.nvidia_runtime_path,
        "args": [],
    }
    if options.nvidia_set_as_default:
        daemon["default-runtime"] = options.nvidia_runtime_name
    if getattr(options, "cdi.enabled"):
        daemon["features"] = {**daemon.get("features", {}), "cdi": True}
    text = json.dumps(daemon, indent=4, sort_keys=True, ensure_ascii=False)
    if options.dry_run:
        print(text)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    toolkit.write_log("info", f"Wrote updated config to {options.config}")
    toolkit.write_log("info", "It is recommended that docker daemon be restarted.")
    return 0
