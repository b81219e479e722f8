# SPDX-License-Identifier: Apache-2.0
"""One step per node type: which frames it has, what each needs, and how a frame is computed."""
