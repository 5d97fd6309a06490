"""Where it must run: profiles of targets, and what fits there, reckoned without a run."""
