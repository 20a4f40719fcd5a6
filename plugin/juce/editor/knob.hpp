// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

// A parameter as a knob: its name above, its value below. Arrow keys turn it, Return types a value, a double
// click brings the default back.
class Knob : public juce::Component
{
public:
    Knob (ParameterTree& tree, const juce::String& id, const juce::String& name = {});

    // How the value is written here, where that is not as hosts show it.
    void set_text (std::function<juce::String (double)> text);

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    struct Dial : juce::Slider
    {
        bool keyPressed (const juce::KeyPress& key) override;
    };

    juce::String name_;
    Dial dial_;
    ParameterTree::SliderAttachment attachment_;
};

} // namespace bandmate::plugin
