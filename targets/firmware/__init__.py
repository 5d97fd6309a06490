"""Programs for boards: the C of a vocoder with a start-up and a test program around it, compiled, linked and held against the target's memory."""
