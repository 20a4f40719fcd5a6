// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_audio_processors/juce_audio_processors.h>

#include <functional>

namespace bandmate::plugin
{

// A line of text that hosts show among the parameters and nobody can change: what the plugin's own window
// would say, for hosts that show none. Its value is always 0; hosts ask for the text when they draw it, on
// their message thread.
class ReadOut : public juce::AudioProcessorParameterWithID
{
public:
    ReadOut (const juce::String& id, const juce::String& name, std::function<juce::String()> text)
        : AudioProcessorParameterWithID (
              {id, 1}, name, juce::AudioProcessorParameterWithIDAttributes().withCategory (otherMeter)),
          text_ (std::move (text))
    {
    }

    juce::String getText (float, int length_maximum) const override
    {
        return text_().substring (0, length_maximum);
    }
    juce::String getCurrentValueAsText() const override { return text_(); }
    float getValue() const override { return 0.0f; }
    void setValue (float) override {}
    float getDefaultValue() const override { return 0.0f; }
    float getValueForText (const juce::String&) const override { return 0.0f; }
    bool isAutomatable() const override { return false; }

private:
    std::function<juce::String()> text_;
};

} // namespace bandmate::plugin
