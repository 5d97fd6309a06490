"""What it costs: size, RTF, energy, quality, records, Pareto fronts, the page."""
