# SPDX-License-Identifier: Apache-2.0
"""The node-graph document and its evaluation on an engine."""
