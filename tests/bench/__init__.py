"""Benchmarks: `make bench`, or `make bench BENCH=engines`. What each figure means stands in docs/benchmarks.md."""
