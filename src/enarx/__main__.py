# SPDX-License-Identifier: Apache-2.0
"""`python -m enarx`: the command where no script is installed."""

import sys

from enarx.cli.main import main

sys.exit(main())
