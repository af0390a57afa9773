# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 inside the guest's process: a component's `wasi:http` between it and plaintext sockets."""
