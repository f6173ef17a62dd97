"""What a node measures as metrics. What is not there or was not read has no sample; what was not
read is named in sparkform_unread. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from node.readings.gpu import REASONS, GpuTelemetry
from node.readings.measure import Unread
from node.telemetry.certificates import CertificateLife
from node.telemetry.exposition import MetricFamily, MetricKind, MetricSample
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    LinkTelemetry,
    NodeTelemetry,
)

MEGA = 1_000_000
GpuFigure = Callable[[GpuTelemetry], object]
LinkFigure = Callable[[LinkTelemetry], object]

GPU_FIGURES: tuple[tuple[str, str, float, GpuFigure], ...] = (
    ("utilization_ratio", "Share of time in which a kernel ran.", 0.01, lambda g: g.use_percent),
    ("power_watts", "Power that the GPU draws.", 1, lambda g: g.power_w),
    ("temperature_celsius", "Temperature of the GPU.", 1, lambda g: g.temperature_c),
    ("sm_clock_hertz", "Clock of the multiprocessors.", MEGA, lambda g: g.clock_sm_mhz),
    ("sm_clock_max_hertz", "Highest clock of the same.", MEGA, lambda g: g.clock_max_mhz),
)
CERTIFICATE_TIMES: tuple[tuple[str, str, Callable[[CertificateLife], int]], ...] = (
    ("start", "From when a certificate holds.", lambda life: life.start_s),
    ("expiry", "Until when a certificate holds.", lambda life: life.end_s),
)
LINK_FIGURES: tuple[tuple[str, str, float, LinkFigure], ...] = (
    ("up", "Whether the half of a port has a link.", 1, lambda link: link.is_up),
    ("speed_bytes_per_second", "Speed of the link.", MEGA / 8, lambda link: link.speed_mbps),
    ("received_bytes_total", "RDMA data that came in.", 1, lambda link: link.received_bytes),
    ("sent_bytes_total", "RDMA data that went out.", 1, lambda link: link.sent_bytes),
)


def build_families(
    telemetry: NodeTelemetry, expected_links: Collection[str]
) -> Iterator[MetricFamily]:
    """`expected_links`: the interfaces that the stack gives fabric addresses."""
    if not isinstance(telemetry.gpus, Unread):
        yield from _build_gpu_families(telemetry.gpus)
    if not isinstance(telemetry.links, Unread):
        yield from _build_link_families(telemetry.links, expected_links)
    yield from _build_disk_families(telemetry)


def build_unread_families(unread: Collection[str]) -> Iterator[MetricFamily]:
    """Always there: no sample is no reading at all."""
    samples = tuple(MetricSample(1, {"what": what}) for what in sorted(unread))
    yield MetricFamily("sparkform_unread", "gauge", "What could not be read.", samples)
    yield _build_single("sparkform_unread_readings", "How much could not be read.", len(unread))


def build_event_families(xid_errors: Mapping[str, int]) -> Iterator[MetricFamily]:
    total = MetricSample(sum(xid_errors.values()), {})
    samples = [MetricSample(count, {"xid": number}) for number, count in sorted(xid_errors.items())]
    yield MetricFamily(
        "sparkform_gpu_errors_total",
        "counter",
        "GPU errors since boot.",
        (total,),
    )
    yield MetricFamily(
        "sparkform_xid_errors_total",
        "counter",
        "GPU errors since boot by Xid number.",
        tuple(samples),
    )


def build_certificate_families(
    lives: Mapping[str, CertificateLife | Unread | None],
) -> Iterator[MetricFamily]:
    known = {name: life for name, life in lives.items() if isinstance(life, CertificateLife)}
    for key, text, get in CERTIFICATE_TIMES:
        yield MetricFamily(
            f"sparkform_certificate_{key}_timestamp_seconds",
            "gauge",
            text,
            tuple(
                MetricSample(get(life), {"name": name, "path": life.path})
                for name, life in known.items()
            ),
        )


def list_unread(telemetry: NodeTelemetry) -> Iterator[str]:
    """Sections and single figures, by words that do not change from one reading to the next."""
    for what, section in (
        *(("gpu", telemetry.gpus), ("memory", telemetry.memory), ("links", telemetry.links)),
        *((f"disk {purpose}", disk) for purpose, disk in telemetry.disks.items()),
    ):
        if isinstance(section, Unread):
            yield what
    for gpu in telemetry.gpus if isinstance(telemetry.gpus, tuple) else ():
        yield from (f"gpu {gpu.index} {name}" for name in _list_unread_fields(gpu))
    for link in telemetry.links if isinstance(telemetry.links, tuple) else ():
        yield from (f"link {link.interface} {name}" for name in _list_unread_fields(link))


def _list_unread_fields(part: GpuTelemetry | LinkTelemetry) -> list[str]:
    return [name for name, value in vars(part).items() if isinstance(value, Unread)]


def _build_gpu_families(gpus: Iterable[GpuTelemetry]) -> Iterator[MetricFamily]:
    gpus = tuple(gpus)
    for name, text, factor, get in GPU_FIGURES:
        samples = tuple(_sample(get(gpu), factor, gpu=str(gpu.index)) for gpu in gpus)
        yield MetricFamily(f"sparkform_gpu_{name}", "gauge", text, _select(samples))
    yield MetricFamily(
        "sparkform_gpu_throttled",
        "gauge",
        "Whether the clock is held down for this reason.",
        tuple(sample for gpu in gpus for sample in _list_reasons(gpu)),
    )


def _list_reasons(gpu: GpuTelemetry) -> Iterator[MetricSample]:
    active = gpu.throttle_reasons
    if active is None or isinstance(active, Unread):
        return
    for reason in dict.fromkeys([*REASONS.values(), *active]):
        yield MetricSample(reason in active, {"gpu": str(gpu.index), "reason": reason})


def _build_link_families(
    links: Iterable[LinkTelemetry], expected: Collection[str]
) -> Iterator[MetricFamily]:
    """An expected interface that is gone has no link."""
    links = tuple(links)
    names = {link.interface for link in links}
    gone = tuple(MetricSample(0, {"interface": name}) for name in sorted(set(expected) - names))
    for name, text, factor, get in LINK_FIGURES:
        kind: MetricKind = "counter" if name.endswith("_total") else "gauge"
        samples = _select(_sample(get(link), factor, **_label(link)) for link in links)
        yield MetricFamily(
            f"sparkform_link_{name}", kind, text, samples + (gone if name == "up" else ())
        )
    yield MetricFamily(
        "sparkform_link_errors_total",
        "counter",
        "Errors of a link by the driver's name for them.",
        tuple(
            MetricSample(count, {**_label(link), "kind": name})
            for link in links
            for name, count in link.errors.items()
        ),
    )
    yield MetricFamily(
        "sparkform_link_expected",
        "gauge",
        "Whether the stack uses the link; 1 also where the interface is gone.",
        tuple(
            MetricSample(name in expected, {"interface": name})
            for name in sorted(names | set(expected))
        ),
    )


def _label(link: LinkTelemetry) -> dict[str, str]:
    return {"interface": link.interface, "hca": link.hca}


def _build_disk_families(telemetry: NodeTelemetry) -> Iterator[MetricFamily]:
    disks = {
        purpose: disk
        for purpose, disk in telemetry.disks.items()
        if isinstance(disk, DiskTelemetry)
    }
    for name, text in (("free", "Free bytes"), ("total", "Size")):
        yield MetricFamily(
            f"sparkform_directory_{name}_bytes",
            "gauge",
            f"{text} of the file system under a directory.",
            tuple(
                MetricSample(
                    getattr(disk, f"{name}_bytes"),
                    {"purpose": purpose, "directory": disk.directory},
                )
                for purpose, disk in disks.items()
            ),
        )


def _build_single(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, "gauge", text, (MetricSample(value, {}),))


def _sample(value: object, factor: float, **labels: str) -> MetricSample | None:
    """None for what is absent or unread."""
    if not isinstance(value, int | float):
        return None
    return MetricSample(round(value * factor, 6), labels)


def _select(samples: Iterable[MetricSample | None]) -> tuple[MetricSample, ...]:
    return tuple(sample for sample in samples if sample is not None)
