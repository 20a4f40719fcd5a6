# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled small model: the Magenta RealTime 2 architecture with a light magnitude codec."""
