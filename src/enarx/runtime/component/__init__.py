# SPDX-License-Identifier: Apache-2.0
"""Components of WASI 0.2: the engine's component model, and the interfaces that a Keep provides."""
