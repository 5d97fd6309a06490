"""ONNX graphs of an artifact -> TFLite files: a translation operator by operator, with the scales as they are."""
