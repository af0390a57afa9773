# SPDX-License-Identifier: Apache-2.0
"""What a Keep must measure before it starts, from its inputs."""
