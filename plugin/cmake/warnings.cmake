# SPDX-License-Identifier: GPL-3.0-or-later
# For our own code only: other people's headers are included as system headers.
add_library (bandmate_warnings INTERFACE)
if (MSVC)
    target_compile_options (bandmate_warnings INTERFACE /W4 /WX)
else()
    target_compile_options (bandmate_warnings INTERFACE -Wall -Wextra -Werror)
endif()
