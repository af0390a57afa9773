# SPDX-License-Identifier: Apache-2.0
"""… and the runtime runs it."""
