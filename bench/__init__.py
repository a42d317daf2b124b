"""Benchmarks: `./loved bench NAME` measures the product beside a bare floor in the same run."""
