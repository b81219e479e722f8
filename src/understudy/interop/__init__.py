# SPDX-License-Identifier: Apache-2.0
"""Other people's models in, our packs out: files become packs, and packs become files that Flame and Nuke read."""
