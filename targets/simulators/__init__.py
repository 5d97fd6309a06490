"""Simulated boards: programs that stand in for a target's hardware, one file each."""
