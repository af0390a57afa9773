# SPDX-License-Identifier: Apache-2.0
"""The program inside: the story as a table of states, and the door that does its IO."""
