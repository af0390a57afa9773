# SPDX-License-Identifier: Apache-2.0
"""An identity is issued by the Steward."""
