# SPDX-License-Identifier: Apache-2.0
"""Values and protocols that every layer shares. No input or output happens here."""
