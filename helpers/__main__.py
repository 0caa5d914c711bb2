"""`python -m helpers` checks this machine: see `setup_check`."""

import sys

from .setup_check import main

sys.exit(main())
