"""Benchmarks: what the pipeline costs beside a bound measured in the same run.

Here: one module per question, run by `make bench` (or `python -m benchmarks NAME …`)
and, the long one, by `make soak`. Not here: tests; small versions of these run there.
"""
