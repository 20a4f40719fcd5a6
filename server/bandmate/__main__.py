# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bandmate` is the command `bandmate`."""

from bandmate.cli.main import main

if __name__ == "__main__":
    main()
