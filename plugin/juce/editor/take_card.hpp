// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

class Processor;

// What was played, as a file: how much of it, where to, and a tile to drag it onto a track.
class TakeCard : public juce::Component
{
public:
    explicit TakeCard (Processor& processor);
    ~TakeCard() override;

    void refresh();
    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    class Tile;

    void keep (const juce::File& wav);
    void choose_file();
    static juce::File takes_folder();

    Processor& processor_;
    juce::Slider length_{juce::Slider::LinearHorizontal, juce::Slider::TextBoxRight};
    std::unique_ptr<juce::TextButton> take_, save_as_;
    std::unique_ptr<Tile> tile_;
    std::unique_ptr<juce::FileChooser> chooser_;
    juce::File wanted_; // the take that is being saved, or was last
};

} // namespace bandmate::plugin
