# SPDX-License-Identifier: Apache-2.0
"""Contracts to protobuf and back."""
