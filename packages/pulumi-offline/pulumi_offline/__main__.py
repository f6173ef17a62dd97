"""`python3 -m pulumi_offline setup`, `… lock`. Needs no installed package."""

from __future__ import annotations

import sys

from pulumi_offline import python_gate

if __name__ == "__main__":
    python_gate.enforce()
    from pulumi_offline.command import main

    sys.exit(main(sys.argv[1:]))
