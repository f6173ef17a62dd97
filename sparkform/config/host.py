"""The block `host`: settings of the machine below the engines, each left alone unless declared."""

from __future__ import annotations

from pydantic import Field

from sparkform.config import host_values, values
from sparkform.config.section import Section


class MemoryGuard(Section):
    """What keeps a node from running out of memory."""

    min_free_gib: values.Gibibytes = Field(
        8,
        description="While a service starts, the page cache is dropped where less than this is "
        "free, in GiB.",
    )
    earlyoom: values.Flag = Field(
        True,
        description="Whether earlyoom ends the engine where memory runs out; it must be installed.",
    )
    min_available_gib: values.Gibibytes = Field(
        2,
        description="earlyoom asks the engine to end where less than this is available, in GiB, "
        "and kills it at half of it.",
    )


class Host(Section):
    """Settings of the machine itself."""

    gpu_clock_mhz: host_values.ClockMhz | None = Field(
        None,
        description="Highest clock of the GPU, one that `nvidia-smi -q -d SUPPORTED_CLOCKS` lists.",
        json_schema_extra={"absent": "not limited by us"},
    )
    memory_guard: MemoryGuard | None = Field(
        None,
        description="What keeps a node from running out of memory.",
        json_schema_extra={"absent": "no guard"},
    )
    hold: tuple[host_values.HeldPackages, ...] | None = Field(
        None,
        description="Packages that apt keeps at the version that is installed.",
        json_schema_extra={"absent": "none is held by us"},
    )
    kernel_parameters: tuple[host_values.KernelParameter, ...] | None = Field(
        None,
        description="What the kernel's command line must have; never set by us, and said with the "
        "command where it lacks.",
        json_schema_extra={"absent": "not checked"},
    )
