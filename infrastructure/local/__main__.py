"""Entry point of `python -m infrastructure.local`."""

import sys

from infrastructure.local.cli import main

sys.exit(main())
