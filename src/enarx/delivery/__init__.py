# SPDX-License-Identifier: Apache-2.0
"""The workload and its secrets are delivered over a channel that ends inside."""
