# SPDX-License-Identifier: Apache-2.0
"""Files to plates and back: EXR of every kind, sequences, windows, metadata, atomic writes."""
