# SPDX-License-Identifier: Apache-2.0
"""What you type: one file a verb."""
