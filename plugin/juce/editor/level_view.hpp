// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "theme.hpp"

#include <array>

namespace bandmate::plugin
{

class LevelMeter;

// The output's two channels: RMS as a bar, the peak as a line that falls slowly, and a sign that stays lit
// when the level before the limiter went over full scale, until it is clicked.
class LevelView : public juce::Component, public juce::SettableTooltipClient
{
public:
    explicit LevelView (LevelMeter& meter);

    void refresh(); // some 30 times a second
    void paint (juce::Graphics& g) override;
    void mouseDown (const juce::MouseEvent& event) override;
    bool keyPressed (const juce::KeyPress& key) override;

private:
    struct Channel
    {
        float rms_db = -100.0f;
        float peak_db = -100.0f;
        int held = 0; // refreshes before the peak falls
    };

    LevelMeter& meter_;
    std::array<Channel, 2> channels_;
    bool is_over_ = false;
};

} // namespace bandmate::plugin
