# SPDX-License-Identifier: BSD-3-Clause
"""What the end-to-end tests stand on; lib/README.md says which file holds what."""
