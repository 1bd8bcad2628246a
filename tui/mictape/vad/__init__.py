"""The speech detector (Silero, ONNX) and the process it runs in."""
