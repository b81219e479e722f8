# SPDX-License-Identifier: Apache-2.0
"""What was made of what: the record beside the frames of a render, its hash list, its signature, their check."""
