# SPDX-License-Identifier: Apache-2.0
"""The checks of a publish, one module per family; ``catalog`` lists them all, ``run`` runs them."""
