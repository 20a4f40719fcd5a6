// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

#include "../presets.hpp"

namespace bandmate::plugin
{

class Processor;

// The factory's presets by family, and the user's own: load, save, delete.
class PresetsPage : public juce::Component
{
public:
    explicit PresetsPage (Processor& processor);

    void refresh();
    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    void load (const juce::String& name);
    void save();
    void remove();
    juce::Rectangle<int> factory_area() const;
    juce::Rectangle<int> own_area() const;

    Processor& processor_;
    PresetLibrary library_;
    std::vector<std::unique_ptr<juce::TextButton>> factory_;
    NameList own_{"Your presets", "Presets that you save appear here."};
    juce::TextEditor name_;
    std::unique_ptr<juce::TextButton> save_, load_, remove_;
    juce::String message_;
    juce::String shown_preset_;
};

} // namespace bandmate::plugin
