"""CUDA fat binaries in a shared library: code that a GPU never loads is blanked, so it packs small.

A fat binary is a list of entries, each PTX or machine code for one architecture; the layout is
described at https://github.com/n-eiling/cuda-fatbin-decompression. Headers, sizes and offsets stay
as they are, only payloads become zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTIONS = (b".nv_fatbin", b"__nv_relfatbin")
CONTAINER_MAGIC = b"\x50\xed\x55\xba"
CONTAINER_HEADER = struct.Struct("<IHHQ")
ENTRY_HEADER = struct.Struct("<HHIQ")
ARCHITECTURE_OFFSET = 28
ARCHITECTURE = struct.Struct("<I")
PTX, MACHINE_CODE = 1, 2
ELF64_SECTION_TABLE = struct.Struct("<Q")
ELF64_SECTION_COUNTS = struct.Struct("<HHH")
ELF64_SECTION = struct.Struct("<IIQQQQ")


@dataclass(frozen=True)
class FatbinEntry:
    """`start` and `size` are of the payload, in bytes of the file."""

    container: int
    kind: int
    architecture: int
    start: int
    size: int
    architecture_at: int


def list_entries(library: bytes) -> list[FatbinEntry]:
    """All entries of an ELF64 library, container by container."""
    entries: list[FatbinEntry] = []
    containers = 0
    for start, size in _find_sections(library):
        for at in _find_containers(library, start, start + size):
            entries += _read_container(library, at, containers)
            containers += 1
    return entries


def blank_others(library: bytes, architecture: int) -> bytes:
    """Only what a GPU of `architecture` (90 for compute capability 9.0) loads keeps its payload.

    Where a container has no machine code for it, the newest PTX that the driver can compile stays.
    """
    blanked = bytearray(library)
    entries = list_entries(library)
    kept = _choose_entries(entries, architecture)
    for entry in entries:
        if entry not in kept:
            blanked[entry.start : entry.start + entry.size] = bytes(entry.size)
    return bytes(blanked)


def rename_architecture(library: bytes, former: int, architecture: int) -> bytes:
    """A library without code for `former`: what CUDA then says is no kernel image."""
    renamed = bytearray(library)
    for entry in list_entries(library):
        if entry.architecture <= former:
            ARCHITECTURE.pack_into(renamed, entry.architecture_at, architecture)
    return bytes(renamed)


def _choose_entries(entries: list[FatbinEntry], architecture: int) -> set[FatbinEntry]:
    kept = {
        entry
        for entry in entries
        if (entry.kind, entry.architecture) == (MACHINE_CODE, architecture)
    }
    served = {entry.container for entry in kept}
    for container in {entry.container for entry in entries} - served:
        sources = [
            entry
            for entry in entries
            if entry.container == container
            and entry.kind == PTX
            and entry.architecture <= architecture
        ]
        kept |= {max(sources, key=lambda entry: entry.architecture)} if sources else set()
    return kept


def _find_sections(library: bytes) -> Iterator[tuple[int, int]]:
    """Offset and size of each section that holds fat binaries (elf(5))."""
    (table,) = ELF64_SECTION_TABLE.unpack_from(library, 40)
    entry_size, count, names_index = ELF64_SECTION_COUNTS.unpack_from(library, 58)
    headers = [ELF64_SECTION.unpack_from(library, table + i * entry_size) for i in range(count)]
    names_at = headers[names_index][4]
    for name_offset, _, _, _, offset, size in headers:
        name_at = names_at + name_offset
        if library[name_at : library.index(b"\0", name_at)] in SECTIONS:
            yield offset, size


def _find_containers(library: bytes, start: int, end: int) -> Iterator[int]:
    at = library.find(CONTAINER_MAGIC, start, end)
    while at >= 0:
        yield at
        _, _, header, size = CONTAINER_HEADER.unpack_from(library, at)
        at = library.find(CONTAINER_MAGIC, at + header + size, end)


def _read_container(library: bytes, at: int, container: int) -> Iterator[FatbinEntry]:
    _, _, header, size = CONTAINER_HEADER.unpack_from(library, at)
    entry_at, end = at + header, at + header + size
    while entry_at < end:
        kind, _, entry_header, entry_size = ENTRY_HEADER.unpack_from(library, entry_at)
        architecture_at = entry_at + ARCHITECTURE_OFFSET
        (architecture,) = ARCHITECTURE.unpack_from(library, architecture_at)
        payload = entry_at + entry_header
        yield FatbinEntry(container, kind, architecture, payload, entry_size, architecture_at)
        entry_at = payload + entry_size
