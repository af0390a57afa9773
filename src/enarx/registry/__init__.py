# SPDX-License-Identifier: Apache-2.0
"""… and published in a registry, the Drawbridge."""
