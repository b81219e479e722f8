# SPDX-License-Identifier: Apache-2.0
"""Runs models: tensors in, tensors out. The only place that imports onnxruntime or torch (``torch_*.py``)."""

from understudy.runtimes.load import LoadedModel, load_model
from understudy.runtimes.providers import onnx_providers

__all__ = ["LoadedModel", "load_model", "onnx_providers"]
