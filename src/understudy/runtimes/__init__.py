# SPDX-License-Identifier: Apache-2.0
"""Tensors in, tensors out: ONNX Runtime and Python. The only place that imports onnxruntime and torch."""
