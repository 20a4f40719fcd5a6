// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model_facts.hpp"
#include "resampler.hpp"

#include <bandmate/protocol/audio.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace bandmate::core
{

// Streams the side chain to the server as frames on the model's own grid: sample i of frame k is what came in
// at stream time kF + i. A frame that finds the ring full is left out; the next one says so. Owned by the
// audio thread.
class SideChain
{
public:
    // Allocates. Throws std::runtime_error when the host's rate cannot be converted from.
    void prepare (const ModelFacts& model, double host_rate_hz, uint32_t max_block_samples);

    // The next host sample is at time 0 of `epoch`.
    void restart (uint32_t epoch) noexcept;

    // `count` host samples, at most max_block_samples. Null for silence. `ring` is the one of the epoch's
    // segment.
    void write (protocol::AudioRing& ring, const float* left, const float* right, uint32_t count) noexcept;

private:
    void take (protocol::AudioRing& ring, const float* samples, uint32_t count) noexcept;

    uint32_t channels_ = 0;
    uint32_t frame_samples_ = 1;
    uint32_t epoch_ = 0;
    uint64_t position_ = 0;  // model samples
    float* frame_ = nullptr; // in the ring, being filled; null when there was no room for it
    bool has_gap_ = false;
    std::optional<Resampler> resampler_; // none when the rates are equal
    std::vector<float> host_scratch_;
    std::vector<float> model_scratch_;
};

} // namespace bandmate::core
