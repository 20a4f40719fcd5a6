# SPDX-License-Identifier: GPL-3.0-or-later
# Libraries under the plugin. Debian: libzmq3-dev cppzmq-dev libsamplerate0-dev libmsgpack-cxx-dev nlohmann-json3-dev;
# Homebrew: zeromq cppzmq libsamplerate msgpack-cxx nlohmann-json.
find_package (Threads REQUIRED)
find_package (PkgConfig REQUIRED)
pkg_check_modules (libzmq REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules (samplerate REQUIRED IMPORTED_TARGET samplerate)
find_path (CPPZMQ_INCLUDE_DIR zmq.hpp REQUIRED)
add_library (bandmate_cppzmq INTERFACE)
target_include_directories (bandmate_cppzmq SYSTEM INTERFACE ${CPPZMQ_INCLUDE_DIR})
target_link_libraries (bandmate_cppzmq INTERFACE PkgConfig::libzmq)
find_package (nlohmann_json 3.11 REQUIRED)
