"""Which bytes a service runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, Finding, Outcome, Skip

OTHER_ARCHITECTURE = re.compile(r"amd64|x86[-_]64|x86", re.IGNORECASE)
MOVING = re.compile(
    r"raw\.githubusercontent\.com/[^/\s]+/[^/\s]+/(?:refs/heads/)?(main|master)/|"
    r"/(?:raw|blob)/(main|master)/|curl[^|]*\|\s*(?:ba)?sh"
)


def pinned(service: ServiceView) -> Iterator[Outcome]:
    """A tag that moves gives two nodes different bytes, and tomorrow others than today.

    `latest` and nightly tags are refused; any other tag without a digest can be pushed again.
    """
    image = service.image
    if image is None or image.digest is not None:
        return
    is_floating = image.is_floating
    yield Finding(
        path=service.path("image"),
        message="The service must name its image by digest, as "
        + ("this tag means other bytes each day." if is_floating else "tags can be pushed again."),
        remedy=f"image: {image.tagged}@sha256:…  # docker buildx imagetools inspect {image.tagged}",
        severity=MANDATORY if is_floating else ADVISORY,
    )


def architecture(service: ServiceView) -> Iterator[Outcome]:
    """A Spark is aarch64; an image without linux/arm64 does not start."""
    if service.image is None:
        return
    arm64 = service.image_figure("arm64")
    if arm64 is False or OTHER_ARCHITECTURE.search(service.image.tag or ""):
        yield Finding(
            path=service.path("image"),
            message="The service must use an image for linux/arm64, which this one is not.",
            remedy="image: a tag for several architectures or for aarch64",
        )
    elif arm64 is None:
        reason = f"the catalogue does not know {service.image.tagged}"
        yield Skip(path=service.path("image"), reason=reason)


def moving_script(service: ServiceView) -> Iterator[Outcome]:
    """A script that is fetched from a branch at start needs the internet, and changes.

    NVIDIA's two-node page for TensorRT-LLM starts such a one from its main branch.
    """
    texts = [(one.path, str(one.value)) for one in service.variables.values()]
    texts += [
        (service.path(f"extraArgs[{at}]"), word) for at, word in enumerate(service.block.extra_args)
    ]
    for place, text in texts:
        if MOVING.search(text):
            yield Finding(
                path=place,
                message="The service must not fetch a script from a branch at its start, as the "
                "branch changes and the node may have no internet.",
                remedy="# bake the script into the image",
            )


SERVICE_RULES = {
    "image-pinned": pinned,
    "image-arch": architecture,
    "unpinned-script": moving_script,
}
