"""Back ends that need torch: the graphs of an artifact as torch operators, on a GPU or on the CPU."""
