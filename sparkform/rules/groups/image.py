"""Which bytes a service runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip

OTHER_ARCHITECTURE = re.compile(r"amd64|x86[-_]64|x86", re.IGNORECASE)
MOVING_SCRIPT = re.compile(
    r"raw\.githubusercontent\.com/[^/\s]+/[^/\s]+/(?:refs/heads/)?(main|master)/|"
    r"/(?:raw|blob)/(main|master)/|curl[^|]*\|\s*(?:ba)?sh"
)


def check_image_pinned(service: ServiceView) -> Iterator[RuleOutcome]:
    """A tag that moves gives two nodes different bytes, and tomorrow others than today.

    `latest` and nightly tags are refused; any other tag without a digest can be pushed again.
    """
    image = service.image
    if image is None or image.digest is not None:
        return
    is_floating = image.is_floating
    yield RuleFinding(
        path=service.get_path("image"),
        message=(
            f"{image.tagged} is a moving tag: nodes can run different images."
            if is_floating
            else f"{image.tagged} has no digest: the tag can be pushed again, and nodes can "
            "run different images."
        ),
        remedy=f"image: {image.tagged}@sha256:…  # docker buildx imagetools inspect {image.tagged}",
        severity=MANDATORY if is_floating else ADVISORY,
    )


def check_image_architecture(service: ServiceView) -> Iterator[RuleOutcome]:
    """A Spark is aarch64; an image without linux/arm64 does not start."""
    if service.image is None:
        return
    arm64 = service.find_image_figure("arm64")
    if arm64 is False or OTHER_ARCHITECTURE.search(service.image.tag or ""):
        yield RuleFinding(
            path=service.get_path("image"),
            message="The image is not built for linux/arm64 and does not start on a Spark.",
            remedy="image: a tag for several architectures or for aarch64",
        )
    elif arm64 is None:
        reason = f"the catalogue does not know {service.image.tagged}"
        yield RuleSkip(path=service.get_path("image"), reason=reason)


def check_moving_scripts(service: ServiceView) -> Iterator[RuleOutcome]:
    """A script that is fetched from a branch at start needs the internet, and changes.

    NVIDIA's two-node page for TensorRT-LLM starts such a one from its main branch.
    """
    texts = [(setting.path, str(setting.value)) for setting in service.variables.values()]
    texts += [
        (service.get_path(f"extraArgs[{position}]"), argument)
        for position, argument in enumerate(service.block.extra_args)
    ]
    for path, text in texts:
        if MOVING_SCRIPT.search(text):
            yield RuleFinding(
                path=path,
                message=(
                    "A script is fetched from a branch at start: it fails without internet, "
                    "and the branch can change."
                ),
                remedy="# bake the script into the image",
            )


SERVICE_RULES = {
    "image-pinned": check_image_pinned,
    "image-arch": check_image_architecture,
    "unpinned-script": check_moving_scripts,
}
