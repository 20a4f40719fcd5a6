// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

#include "../presets.hpp"

namespace bandmate::plugin
{

class Processor;

// The top: what it is, the preset, the model, the pages.
class Header : public juce::Component
{
public:
    Header (Processor& processor, const juce::StringArray& pages);

    void refresh();
    void show_page (int page);
    std::function<void (int)> on_page;

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    void offer_presets();
    void step_preset (int by);
    void fill_models();
    void choose_model();

    Processor& processor_;
    PresetLibrary library_;
    IconButton previous_{Icon::previous, "Previous preset", "The preset before this one."};
    IconButton next_{Icon::next, "Next preset", "The preset after this one."};
    juce::TextButton preset_;
    juce::ComboBox model_;
    Segments pages_;
    juce::StringArray models_; // as the box lists them
    juce::StringArray known_;  // those that are here
};

} // namespace bandmate::plugin
