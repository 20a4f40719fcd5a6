# SPDX-License-Identifier: GPL-3.0-or-later
# System packages on macOS, by Homebrew. Sourced by scripts/setup; everything else of the set-up is the same as on Linux.
# JUCE is fetched by plugin/CMakeLists.txt at a pinned version, and the Audio Unit is built as well.
# None of this has run yet: the project has only been built on Debian. See README.md, "What has been run".

BREW_FORMULAS=(ccache cmake cppzmq libsamplerate msgpack-cxx ninja nlohmann-json nlohmann-json pkg-config python@3.12 zeromq)
BREW_FORMULAS_TEST=(catch2 clang-format)

install_system_packages() { # [tests]
    local wanted=("${BREW_FORMULAS[@]}") missing=() name
    [[ ${1:-} == tests ]] && wanted+=("${BREW_FORMULAS_TEST[@]}")
    xcode-select -p > /dev/null 2>&1 || die "the Xcode command line tools are missing. Run: xcode-select --install"
    command -v brew > /dev/null || die "Homebrew is missing. Get it at https://brew.sh, then run this again."
    for name in "${wanted[@]}"; do
        brew list --formula "$name" > /dev/null 2>&1 || missing+=("$name")
    done
    ((${#missing[@]} == 0)) && return
    logged brew-install "Installing by Homebrew: ${missing[*]}" brew install "${missing[@]}"
}
