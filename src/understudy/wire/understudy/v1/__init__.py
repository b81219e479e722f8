# SPDX-License-Identifier: Apache-2.0
"""Generated code; see ``proto/generate.py``."""
