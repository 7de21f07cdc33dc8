"""Makes `python -m trm_lite` do the same as the command `trm-lite`."""

import sys

from trm_lite.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
