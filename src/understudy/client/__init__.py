# SPDX-License-Identifier: Apache-2.0
"""The engine protocol over gRPC: `understudy.client.engine.RemoteEngine`."""

import os

# Must be set before gRPC loads: its fork handlers would stop every subprocess call of the host program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
