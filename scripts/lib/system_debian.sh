# SPDX-License-Identifier: GPL-3.0-or-later
# System packages on Debian 12 and its relatives. Sourced by scripts/setup.

# cmake, ninja and a compiler; Python and its headers for the package's native modules
PACKAGES_BUILD=(build-essential ca-certificates ccache cmake git ninja-build pkg-config python3 python3-dev python3-venv)
# the plugin: JUCE, what JUCE compiles against, ZeroMQ, msgpack, the resampler; Catch2 for its tests
PACKAGES_PLUGIN=(catch2 cppzmq-dev juce-modules-source juce-tools libasound2-dev libfontconfig-dev libfreetype-dev
    libjack-jackd2-dev libmsgpack-cxx-dev libsamplerate0-dev libx11-dev libxcomposite-dev libxcursor-dev libxext-dev
    libxinerama-dev libxrandr-dev libxrender-dev libzmq3-dev nlohmann-json3-dev)
# the server: MLX's CPU backend calls this BLAS (its wheel links OpenBLAS and LAPACK from the system)
# and `bandmate play` needs PortAudio
PACKAGES_SERVER=(libopenblas0-pthread libportaudio2)
# hosts, a display without a screen, network namespaces and the formatter, for scripts/test
PACKAGES_TEST=(ardour clang-format imagemagick iproute2 jackd2 jalv lilv-utils openbox x11-utils xauth xdotool xvfb)

missing_packages() {
    local name
    for name in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null) == installed ]] || echo "$name"
    done
}

install_system_packages() { # [tests]
    local wanted=("${PACKAGES_BUILD[@]}" "${PACKAGES_SERVER[@]}") missing
    [[ $WITH_PLUGIN == yes ]] && wanted+=("${PACKAGES_PLUGIN[@]}")
    [[ ${1:-} == tests ]] && wanted+=("${PACKAGES_TEST[@]}")
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    ((${#missing[@]} == 0)) && return
    echo "    missing: ${missing[*]}"
    # jackd2 asks a question about real-time priority that nobody is there to answer
    logged apt-update "Reading the package lists" as_root apt-get update
    logged apt-install "Installing ${#missing[@]} system packages" \
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}
