# SPDX-License-Identifier: Apache-2.0
"""Timelines drive retimes: the cut of a film becomes a graph for each retimed shot, and a cut of the results."""
