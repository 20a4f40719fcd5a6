// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/core/latency.hpp>
#include <bandmate/core/stream.hpp>
#include <bandmate/link/link.hpp>

#include <optional>
#include <string>

namespace bandmate::plugin
{

// One model at play: the link that keeps its session, and the stream that the audio thread runs.
struct ModelPlayer
{
    std::string model;
    std::optional<core::ModelFacts> facts; // the grid the stream is prepared for
    core::LatencyTerms latency;
    bool is_prepared = false; // written while no block is processed
    link::Link link;
    core::Stream stream{link.segments(), link.progress()};
};

} // namespace bandmate::plugin
