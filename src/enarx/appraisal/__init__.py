# SPDX-License-Identifier: Apache-2.0
"""… is given an appraisal: claims held against a policy."""
