# SPDX-License-Identifier: Apache-2.0
"""The engine protocol over gRPC: `understudy.client.engine.RemoteEngine`."""
