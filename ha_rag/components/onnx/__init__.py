"""Transformer models in ONNX form, run inside this process; embedders and rerankers share them."""
