// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_audio_processors/juce_audio_processors.h>
#include <juce_gui_basics/juce_gui_basics.h>

namespace bandmate::plugin
{

// One style slot: its prompt and its weight.
class PromptRow : public juce::Component
{
public:
    PromptRow (juce::AudioProcessorValueTreeState& parameters, int slot);

    juce::String text() const { return text_.getText(); }
    void show (const juce::String& text); // unless the user is typing in it
    void resized() override;

    std::function<void()> on_change; // the user has finished a change of the text

private:
    juce::Label number_;
    juce::TextEditor text_;
    juce::Slider weight_{juce::Slider::LinearHorizontal, juce::Slider::TextBoxRight};
    juce::AudioProcessorValueTreeState::SliderAttachment attachment_;
};

} // namespace bandmate::plugin
