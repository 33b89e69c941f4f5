"""``python -m playground``."""

import os
import sys

from playground.runs.submit import SETTINGS

# Read by OpenMP when torch is loaded, so before that; what a person set goes first.
for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)

from playground.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
