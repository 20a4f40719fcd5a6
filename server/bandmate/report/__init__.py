# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render shows: where its notes start, and a picture of it. For the demo and the tests."""
