"""smaller -> files: ONNX graphs and artifacts."""
