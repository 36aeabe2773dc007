"""Lava's fixed-point simulator in a child process: the parent's side, the workers, and the graphs they build."""
