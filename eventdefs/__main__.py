"""`python -m eventdefs` is `eventdefs`."""

import sys

from eventdefs.cli import main

sys.exit(main())
