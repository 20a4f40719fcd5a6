# SPDX-License-Identifier: GPL-3.0-or-later
"""Transport between plugins and sessions: control socket, shared memory, discovery."""
