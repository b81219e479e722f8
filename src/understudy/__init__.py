# SPDX-License-Identifier: Apache-2.0
"""Understudy: interchangeable, specialised models for film compositing, behind one service."""

__version__ = "0.1.0"
