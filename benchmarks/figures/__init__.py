"""The figures of the README, part by part: `python -m vcompress.benchmarks.figures` measures what is missing and writes docs/figures.md."""
