// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>

namespace bandmate::core
{

// libsamplerate's band-limited converter at one fixed ratio, with time told exactly: output sample j lies at
// input time j * in_rate / out_rate, no delay, but it can only be made when ahead_samples() input samples
// beyond it are known. Interleaved samples. Construction allocates; all else is fit for the audio thread.
class Resampler
{
public:
    // Throws std::runtime_error if the ratio is out of the library's range (1/256 to 256).
    Resampler (double in_rate_hz, double out_rate_hz, uint32_t channels);
    ~Resampler();
    Resampler (Resampler&&) noexcept;
    Resampler& operator= (Resampler&&) noexcept;

    // The next input sample is at time 0 again.
    void reset() noexcept;

    // Input samples that must be known, counted from the one an output sample lies on.
    uint32_t ahead_samples() const noexcept { return ahead_; }

    // Input samples still to be given until `count` more output samples can be made.
    uint64_t missing (uint32_t count) const noexcept;

    struct Moved
    {
        uint32_t used = 0; // input samples
        uint32_t made = 0; // output samples
    };

    // Takes up to `in_count` and makes up to `out_count` samples.
    Moved process (const float* in, uint32_t in_count, float* out, uint32_t out_count) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
    double in_per_out_ = 1.0;
    uint32_t channels_ = 0;
    uint32_t ahead_ = 0;
    uint64_t used_ = 0;
    uint64_t made_ = 0;
};

} // namespace bandmate::core
