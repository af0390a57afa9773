# SPDX-License-Identifier: Apache-2.0
"""Runs under CPython inside a Keep: says where it is, and computes something."""

import platform
import sys
from fractions import Fraction

print(f"Python {platform.python_version()} on {sys.platform}")
print("harmonic(20) =", sum(Fraction(1, n) for n in range(1, 21)))
