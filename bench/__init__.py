"""Benchmarks: `make bench` prints one JSON object a line; `make bench ONLY=NAME` runs one.

Each module of this folder has `BENCHES`, a table from name to a function that yields results
`{"name", "value", "unit", "ratio", "against"}`. A ratio is taken within one run, both sides
interleaved, because machines are shared and noisy.
"""
