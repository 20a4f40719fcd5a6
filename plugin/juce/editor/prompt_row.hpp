// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

#include "../session_state.hpp"

namespace bandmate::plugin
{

class Processor;

// One style slot: its prompt in words or sound, its share of the blend, its mute. A sound file that is
// dropped on it becomes its style.
class PromptRow : public juce::Component, public juce::FileDragAndDropTarget
{
public:
    PromptRow (Processor& processor, int slot);
    ~PromptRow() override;

    // `share`: of the blend as it is heard, 0..1; `by_surface`: the surface weighs, not the slider.
    void show (const SessionState& session, double share, bool by_surface);

    void paint (juce::Graphics& g) override;
    void resized() override;

    bool isInterestedInFileDrag (const juce::StringArray& files) override;
    void fileDragEnter (const juce::StringArray& files, int x, int y) override;
    void fileDragExit (const juce::StringArray& files) override;
    void filesDropped (const juce::StringArray& files, int x, int y) override;

private:
    struct Words : juce::TextEditor
    {
        bool keyPressed (const juce::KeyPress& key) override;
    };

    void send_text();
    void offer_words();

    Processor& processor_;
    int slot_;
    Words words_;
    juce::Slider weight_{juce::Slider::LinearHorizontal, juce::Slider::TextBoxRight};
    juce::TextButton mute_{"M"};
    IconButton suggest_;
    IconButton clear_;
    ParameterTree::SliderAttachment weight_attachment_;
    ParameterTree::ButtonAttachment mute_attachment_;
    juce::String sound_name_; // empty: the slot follows its words
    double share_ = 0.0;
    bool by_surface_ = false;
    bool is_filled_ = false;
    bool is_target_ = false; // of a file that is being dragged
};

// Whether a file can be read as sound, by its name.
bool is_sound_file (const juce::String& path);

} // namespace bandmate::plugin
