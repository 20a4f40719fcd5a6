// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

// A style's place on the surface, or the cursor: what the mouse takes hold of, and what the arrow keys move.
class SurfaceHandle : public juce::Component, public juce::SettableTooltipClient
{
public:
    static constexpr int cursor = -1;

    explicit SurfaceHandle (int slot); // 0..5, or cursor

    void show (bool is_on, float weight);

    std::function<void (const juce::MouseEvent&)> on_press, on_drag, on_release;
    std::function<void (float dx, float dy)> on_nudge; // parts of the surface

    void paint (juce::Graphics& g) override;
    void mouseDown (const juce::MouseEvent& event) override;
    void mouseDrag (const juce::MouseEvent& event) override;
    void mouseUp (const juce::MouseEvent& event) override;
    bool keyPressed (const juce::KeyPress& key) override;

private:
    int slot_;
    bool is_on_ = false;
    float weight_ = 0.0f;
};

} // namespace bandmate::plugin
