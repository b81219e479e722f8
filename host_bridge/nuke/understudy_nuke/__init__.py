# SPDX-License-Identifier: Apache-2.0
"""Understudy's roles as Groups in Nuke: what reaches a node is written, the command runs, its result is read.

Python 3.9 (Nuke 14) and later; the standard library and ``nuke`` alone. The Groups hold only Nuke's own nodes, so that
a script with baked results opens and renders where Understudy is not installed.
"""
