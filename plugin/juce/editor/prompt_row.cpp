// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompt_row.hpp"

#include "../parameters.hpp"

namespace bandmate::plugin
{

PromptRow::PromptRow (juce::AudioProcessorValueTreeState& parameters, int slot)
    : attachment_ (parameters, parameter_id::of (static_cast<protocol::ParameterId> (slot)), weight_)
{
    number_.setText (juce::String (slot + 1), juce::dontSendNotification);
    text_.setTextToShowWhenEmpty ("a style in words", juce::Colours::grey);
    text_.setInputRestrictions (
        static_cast<int> (protocol::limits::prompt_bytes_maximum / 4)); // in UTF-8 at most 4 bytes each
    text_.setSelectAllWhenFocused (true);
    weight_.setTextBoxStyle (juce::Slider::TextBoxRight, false, 48, 22);
    weight_.setNumDecimalPlacesToDisplay (2);
    const auto changed = [this]
    {
        if (on_change)
            on_change();
    };
    text_.onReturnKey = changed;
    text_.onFocusLost = changed;
    addAndMakeVisible (number_);
    addAndMakeVisible (text_);
    addAndMakeVisible (weight_);
}

void PromptRow::show (const juce::String& text)
{
    if (!text_.hasKeyboardFocus (true) && text_.getText() != text)
        text_.setText (text, false);
}

void PromptRow::resized()
{
    auto area = getLocalBounds().reduced (0, 2);
    number_.setBounds (area.removeFromLeft (24));
    weight_.setBounds (area.removeFromRight (juce::jmax (160, area.getWidth() / 3)));
    text_.setBounds (area.withTrimmedRight (8));
}

} // namespace bandmate::plugin
