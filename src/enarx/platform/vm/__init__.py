# SPDX-License-Identifier: Apache-2.0
"""A Keep as a virtual machine: the plan, the machine, and the program that is process 1 inside."""
