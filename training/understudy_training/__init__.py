# SPDX-License-Identifier: Apache-2.0
"""The code that made Understudy's own weights: procedural generators, networks, recipes and a training loop.

It needs torch and numpy, and nothing else: never Understudy, never a picture file, never someone else's weights. So
``PYTHONPATH=training python -m understudy_training train RECIPE`` runs on any machine that has these two.
"""
