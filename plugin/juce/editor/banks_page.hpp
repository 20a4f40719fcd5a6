// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "take_card.hpp"

namespace bandmate::plugin
{

class Processor;

// Points of the stream to return to (save, arm, reset, empty), and takes of what was played.
class BanksPage : public juce::Component
{
public:
    explicit BanksPage (Processor& processor);

    void refresh();
    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    void save();
    void arm (const juce::String& name);
    juce::File file_of (const juce::String& name) const;
    juce::Rectangle<int> banks_area() const;

    Processor& processor_;
    NameList banks_{"Banks", "Banks that you save appear here: each is a point of the music to return to."};
    juce::TextEditor name_;
    std::unique_ptr<juce::TextButton> save_, arm_, reset_, empty_, remove_;
    TakeCard takes_;
};

} // namespace bandmate::plugin
