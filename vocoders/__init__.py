"""What is compressed: networks, corpora, training, checkpoints."""
