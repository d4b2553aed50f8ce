"""LLaVA as a GGUF pair: what `tools/demo-model` and `tools/parity` both need to write one, and to read it back.

A pair is the language model's file (architecture llama) and the projector's (architecture clip: tower and projector).
Names on the one side are those of Hugging Face transformers' state dict, on the other side those of llama.cpp.
"""
