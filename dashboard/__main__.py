"""`python -m dashboard`: the command line."""

from __future__ import annotations

import sys

from dashboard.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
