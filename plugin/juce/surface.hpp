// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/version.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace bandmate::plugin
{

// A place on the prompt surface: 0..1 from left to right and from top to bottom.
struct SurfacePoint
{
    float x = 0.5f;
    float y = 0.5f;

    bool operator== (const SurfacePoint& other) const { return x == other.x && y == other.y; }
};

using SurfacePoints = std::array<SurfacePoint, protocol::style_slots>;
using StyleWeights = std::array<double, protocol::style_slots>;
using SlotFlags = std::array<bool, protocol::style_slots>;

// On a circle around the middle, the first one at the top.
inline SurfacePoints initial_surface_points() noexcept
{
    constexpr float radius = 0.36f;
    constexpr float sixth_of_turn = 1.0471976f; // radians
    SurfacePoints points;
    for (std::size_t slot = 0; slot < points.size(); ++slot)
    {
        const auto angle = sixth_of_turn * static_cast<float> (slot);
        points[slot] = {0.5f + radius * std::sin (angle), 0.5f - radius * std::cos (angle)};
    }
    return points;
}

// The share of each slot at `cursor`: the inverse of its squared distance, all shares together 1. A slot that
// is not `sounding` has none; without any, all are 0.
inline StyleWeights surface_weights (const SurfacePoints& points, const SlotFlags& sounding,
                                     SurfacePoint cursor) noexcept
{
    constexpr double nearest = 0.01; // within it a prompt is met: nothing grows without end
    StyleWeights weights{};
    double total = 0.0;
    for (std::size_t slot = 0; slot < weights.size(); ++slot)
    {
        if (!sounding[slot])
            continue;
        const double dx = double{points[slot].x} - cursor.x;
        const double dy = double{points[slot].y} - cursor.y;
        weights[slot] = 1.0 / std::max (dx * dx + dy * dy, nearest * nearest);
        total += weights[slot];
    }
    for (auto& weight : weights)
        weight = total > 0.0 ? std::min (1.0, weight / total) : 0.0;
    return weights;
}

// Where the prompts lie and which slots have one: written by any thread, read by the audio thread. A reader
// may see half of a change; the next block sees all of it.
class SharedSurface
{
public:
    SharedSurface() noexcept { set (initial_surface_points(), {}); }

    void set (const SurfacePoints& points, const SlotFlags& filled) noexcept
    {
        for (std::size_t slot = 0; slot < points.size(); ++slot)
        {
            slots_[slot].x.store (points[slot].x, std::memory_order_relaxed);
            slots_[slot].y.store (points[slot].y, std::memory_order_relaxed);
            slots_[slot].filled.store (filled[slot], std::memory_order_relaxed);
        }
    }

    SurfacePoints points() const noexcept
    {
        SurfacePoints points;
        for (std::size_t slot = 0; slot < points.size(); ++slot)
            points[slot] = {slots_[slot].x.load (std::memory_order_relaxed),
                            slots_[slot].y.load (std::memory_order_relaxed)};
        return points;
    }

    SlotFlags filled() const noexcept
    {
        SlotFlags filled{};
        for (std::size_t slot = 0; slot < filled.size(); ++slot)
            filled[slot] = slots_[slot].filled.load (std::memory_order_relaxed);
        return filled;
    }

private:
    struct Slot
    {
        std::atomic<float> x{0.5f};
        std::atomic<float> y{0.5f};
        std::atomic<bool> filled{false};
    };

    std::array<Slot, protocol::style_slots> slots_;
};

} // namespace bandmate::plugin
