# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol on the wire: messages, methods, tensors; for our service and our client of others."""
