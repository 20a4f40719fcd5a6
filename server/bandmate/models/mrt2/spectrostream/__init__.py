# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectroStream, the codec of Magenta RealTime 2: convolutions over a spectrogram."""
