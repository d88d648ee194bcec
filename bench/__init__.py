"""Timings, each beside a peer in one run, as ratios. `make bench` runs them all; `python -m bench startup` runs one."""
