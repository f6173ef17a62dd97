"""Run one module of this clone: `python -P launch.py MODULE [ARGUMENT...]`.

Pulumi starts language hosts and plugins in the folder of the user's program, and the virtual
environment may be shared by several clones. This file makes sure that the module comes from the
clone that the launcher names, and leaves the environment of child processes alone.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    module = sys.argv.pop(1)
    script = Path(__file__)
    sys.path[:0] = [str(script.parents[1]), str(script.parents[3])]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
