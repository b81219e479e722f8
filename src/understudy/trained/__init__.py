# SPDX-License-Identifier: Apache-2.0
"""Writes packs from finished training runs: parity with torch, evidence, hashes, the card's figures, the ML-BOM.

Torch itself is met only inside ``understudy_training``, which hands over arrays.
"""
