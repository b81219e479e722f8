# SPDX-License-Identifier: Apache-2.0
"""Pictures drawn from a seed. Their sources, hashed, are the generator version that a recipe and a result name."""
