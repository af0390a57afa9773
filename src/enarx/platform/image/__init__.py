# SPDX-License-Identifier: Apache-2.0
"""The Keep image: kernel, one initramfs and one command line, the same bytes wherever it is built."""
