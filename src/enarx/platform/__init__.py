# SPDX-License-Identifier: Apache-2.0
"""A Keep is opened on a platform: kinds, plans, processes and devices."""
