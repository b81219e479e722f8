# SPDX-License-Identifier: Apache-2.0
"""Networks as torch modules, without data and without losses."""
