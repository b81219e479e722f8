# SPDX-License-Identifier: Apache-2.0
"""The HTTP side door: a page for people, ``/metrics`` for Prometheus, ``/healthz`` for whoever restarts services."""
