"""`python3 -m toolchain setup` and `python3 -m toolchain lock`. Needs no installed package."""

from __future__ import annotations

import sys

from toolchain import python_gate

if __name__ == "__main__":
    python_gate.enforce()
    from toolchain.command import main

    sys.exit(main(sys.argv[1:]))
