# SPDX-License-Identifier: Apache-2.0
"""One module for each task that a recipe can name; each holds ``TASK``, the class: see ``task.py``."""
