# SPDX-License-Identifier: Apache-2.0
"""A workload is packaged: manifest, module, tree, one digest, and the launch document that names it."""
