"""Side-by-side measurements against peers, one command each.

`python -m benchmarks.ppo`, `.reward`, `.generate`, `.memory` and `.gpu` run both sides in turn on
the same work and print a table; the last line is one JSON object. `--quick` uses a tiny random
model: it shows that both sides run, and its figures mean nothing.
"""
