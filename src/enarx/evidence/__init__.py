# SPDX-License-Identifier: Apache-2.0
"""Its evidence: one file a format, parsed and authenticated into claims."""
