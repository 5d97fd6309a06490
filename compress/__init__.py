"""fp32 -> smaller: folding, recipes, calibration, static, dynamic, QAT."""
