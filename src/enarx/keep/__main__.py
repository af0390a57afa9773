# SPDX-License-Identifier: Apache-2.0
"""`python -m enarx.keep`."""

import sys

from enarx.keep.main import main

sys.exit(main())
