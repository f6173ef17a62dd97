"""Planned launches out of the parcel, and what must differ here, each difference by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.gpu_proof.there.process_units import ProcessUnit

WITHOUT_FLASHINFER = {"VLLM_USE_FLASHINFER_SAMPLER": "0"}
"""The parcel has no FlashInfer; without this the sampler's import ends the start."""


@dataclass(frozen=True)
class Parcel:
    """What was brought: `folder` as it lies here, `site` the engine's unpacked packages."""

    folder: Path
    site: Path
    bin: Path

    @property
    def variables(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(self.site), **WITHOUT_FLASHINFER}


@dataclass(frozen=True)
class ProofLaunch:
    """As `sparkform plan --json` has it. `differences`: what was changed against the plan."""

    shape: str
    served_name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    differences: tuple[str, ...] = field(default=())

    def set_option(self, name: str, value: str) -> ProofLaunch:
        """The option's value in the planned command; added where it has none."""
        command = list(self.command)
        if name in command:
            command[command.index(name) + 1] = value
        else:
            command += [name, value]
        return replace(
            self, command=tuple(command), differences=(*self.differences, f"{name} {value}")
        )

    def add_flag(self, flag: str) -> ProofLaunch:
        return replace(self, command=(*self.command, flag), differences=(*self.differences, flag))

    def set_variable(self, name: str, value: str) -> ProofLaunch:
        return replace(
            self,
            environment={**self.environment, name: value},
            differences=(*self.differences, f"{name}={value}"),
        )

    def drop_variable(self, name: str) -> ProofLaunch:
        kept = {key: value for key, value in self.environment.items() if key != name}
        return replace(self, environment=kept, differences=(*self.differences, f"without {name}"))

    def set_model(self, folder: str) -> ProofLaunch:
        command = list(self.command)
        command[command.index("serve") + 1] = folder
        return replace(
            self, command=tuple(command), differences=(*self.differences, f"model {folder}")
        )

    @property
    def port(self) -> int:
        return int(self.command[self.command.index("--port") + 1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read_launch(parcel: Parcel, shape: str) -> ProofLaunch:
    """Of a shape with one rank."""
    [launch] = read_launches(parcel, shape)
    return launch


def read_launches(parcel: Parcel, shape: str) -> tuple[ProofLaunch, ...]:
    """Of each rank, that of rank 0 first."""
    entry = json.loads((parcel.folder / "launches" / f"{shape}.json").read_text())
    model = parcel.site.parent / "models" / entry["model"]
    return tuple(
        _place_launch(
            ProofLaunch(shape, entry["served_name"], tuple(rank["command"]), rank["environment"]),
            str(model),
            # The script lies in the parcel and not in /etc: the machine is somebody else's.
            str(parcel.folder / "start"),
        )
        for rank in entry["ranks"]
    )


def _place_launch(launch: ProofLaunch, model: str, start: str) -> ProofLaunch:
    models = Path("/models")
    command = tuple(model if Path(word).is_relative_to(models) else word for word in launch.command)
    command = tuple(start if word == "/etc/sparkform/start" else word for word in command)
    shell = command.index("/bin/sh")
    # gpt-oss' vocabulary is made out of files beside the weights, which are not there either.
    differences = ("without " + " ".join(command[:shell]),) if shell else ()
    return replace(launch, command=command[shell:], differences=differences)


def build_unit(parcel: Parcel, launch: ProofLaunch, name: str, logs: Path) -> ProcessUnit:
    """The planned environment over that of the parcel."""
    path = f"{parcel.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/cuda/bin"
    environment = {"PATH": path, **parcel.variables, **launch.environment}
    return ProcessUnit(name, launch.command, environment, logs / f"{name}.log")
