"""ONNX operator -> the steps that compute it."""
