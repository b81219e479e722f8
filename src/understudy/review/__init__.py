# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: review movies, thumbnails and contact sheets of frames that are there."""
