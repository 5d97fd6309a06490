"""WaveRNN's loop in integers: what a quantized artifact's two steps compute for every sample, in numpy and, the same to the bit, in C."""
