"""From a trained run to ONNX: the graph is written down from the spec, proved against torch, shrunk and packaged."""
