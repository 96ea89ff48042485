"""`python -m stackaudit`."""

from __future__ import annotations

import sys

from stackaudit.cli import main

if __name__ == "__main__":
    sys.exit(main())
