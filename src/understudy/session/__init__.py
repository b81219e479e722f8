# SPDX-License-Identifier: Apache-2.0
"""Sessions: work on a graph in one file, to go on with elsewhere or later."""
