"""WaveRNN's whole loop as one ONNX graph, which takes the random numbers as an input."""
