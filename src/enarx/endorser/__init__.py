# SPDX-License-Identifier: Apache-2.0
"""Asking the vendors for endorsements, and keeping their answers.

`gather` is what callers use: evidence and what came with it in, endorsements out. A vendor's
module says what is `Wanted` (a request, and how to verify its answer); `ask.Endorser` gets it,
from the `store` while it is good and believed, else through the `client`.
"""
