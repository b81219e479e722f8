# SPDX-License-Identifier: Apache-2.0
"""From rendered frames to a version that a studio can stand behind: checks, integration, a report."""
