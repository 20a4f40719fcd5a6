// SPDX-License-Identifier: Apache-2.0
// Catch2 2 has no main of its own; Catch2 3 links one.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
