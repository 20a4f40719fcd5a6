# SPDX-License-Identifier: GPL-3.0-or-later
# The one place that decides where JUCE comes from: Debian's juce-modules-source and juce-tools on Linux,
# else a pinned 7.0 release by CMake's own download. The macOS and Windows branch is built by CI only.
if (CMAKE_SYSTEM_NAME STREQUAL "Linux")
    find_package (JUCE 7.0.5 CONFIG REQUIRED)
    set (BANDMATE_PLUGIN_FORMATS VST3 LV2 Standalone)
else()
    include (FetchContent)
    FetchContent_Declare (JUCE
        GIT_REPOSITORY https://github.com/juce-framework/JUCE.git
        GIT_TAG 7.0.12
        GIT_SHALLOW ON)
    FetchContent_MakeAvailable (JUCE)
    set (BANDMATE_PLUGIN_FORMATS VST3 LV2 Standalone)
    if (APPLE)
        list (APPEND BANDMATE_PLUGIN_FORMATS AU)
    endif()
endif()
