# SPDX-License-Identifier: GPL-3.0-or-later
"""Owns the models: loads them, steps batches of streams on one thread, frees them."""
