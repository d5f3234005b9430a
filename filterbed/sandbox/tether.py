"""Run the command line so that it ends when the process that started it does.

Started as `python -P -m filterbed.sandbox.tether PARENT ARGUMENTS...`. The kernel ties it to the
thread that started it, so that thread must wait for it (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from filterbed.sandbox import kernel

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Tie this process to its parent, then be the command line."""
    kernel.die_with_parent()
    if os.getppid() != int(arguments[0]):
        return INTERRUPTED  # the parent died before the kernel was told
    from filterbed import cli

    cli.main(list(arguments[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
