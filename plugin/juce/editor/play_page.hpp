// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "knob.hpp"
#include "level_view.hpp"
#include "prompt_row.hpp"
#include "surface_view.hpp"

namespace bandmate::plugin
{

// Styles, surface, sound and output: what is played with.
class PlayPage : public juce::Component
{
public:
    explicit PlayPage (Processor& processor);

    void refresh();       // some 10 times a second
    void refresh_meter(); // some 30 times a second

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    juce::Rectangle<int> styles_area() const;
    juce::Rectangle<int> sound_area() const;
    juce::Rectangle<int> output_area() const;

    Processor& processor_;
    std::vector<std::unique_ptr<PromptRow>> rows_;
    Segments company_;
    IconButton restart_;
    SurfaceView surface_;
    std::vector<std::unique_ptr<Knob>> knobs_;
    std::vector<std::unique_ptr<ParameterSwitch>> sound_switches_;
    Segments timing_;
    juce::ParameterAttachment timing_attachment_;
    juce::ParameterAttachment width_attachment_;
    Knob volume_;
    LevelView level_;
    std::vector<std::unique_ptr<ParameterSwitch>> output_switches_;
};

} // namespace bandmate::plugin
