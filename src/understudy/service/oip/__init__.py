# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol in front of an engine: packs as plain tensor models, for clients such as tritonclient."""
