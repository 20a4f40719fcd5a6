// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "theme.hpp"

#include <juce_audio_processors/juce_audio_processors.h>

#include <functional>
#include <memory>
#include <vector>

namespace bandmate::plugin
{

using ParameterTree = juce::AudioProcessorValueTreeState;

// A name for screen readers and a tooltip that says the same to everybody else.
template <typename Tooltipped>
void describe (Tooltipped& component, const juce::String& title, const juce::String& help)
{
    component.setTitle (title);
    component.setDescription (help);
    component.setHelpText (help);
    component.setTooltip (help);
}

// A push button with words.
std::unique_ptr<juce::TextButton> make_button (const juce::String& text, const juce::String& help,
                                               std::function<void()> on_click);

// A switch that is a parameter.
class ParameterSwitch : public juce::ToggleButton
{
public:
    // `text`: as it stands beside the switch; the parameter's own name by default.
    ParameterSwitch (ParameterTree& tree, const juce::String& id, const juce::String& text = {});

private:
    ParameterTree::ButtonAttachment attachment_;
};

enum class Icon
{
    previous,
    next,
    close,
    menu,
    restart,
    save
};

// A push button with a picture; `title` is what a screen reader says.
class IconButton : public juce::Button
{
public:
    IconButton (Icon icon, const juce::String& title, const juce::String& help);
    void paintButton (juce::Graphics& g, bool is_over, bool is_down) override;

private:
    Icon icon_;
};

// A few words of which one is chosen.
class Segments : public juce::Component
{
public:
    Segments (const juce::String& title, const juce::StringArray& words, const juce::StringArray& helps);

    void choose (int index); // -1: none; calls nobody
    std::function<void (int)> on_choose;

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    std::vector<std::unique_ptr<juce::TextButton>> buttons_;
};

// Names to choose one of, by mouse, arrow keys and Return.
class NameList : public juce::Component, private juce::ListBoxModel
{
public:
    NameList (const juce::String& title, const juce::String& text_when_empty);

    void set (const juce::StringArray& names, const juce::String& marked = {});
    juce::String selected() const;
    std::function<void (const juce::String&)> on_open; // a double click, or Return
    std::function<void()> on_select;

    void resized() override;
    void paintOverChildren (juce::Graphics& g) override;

private:
    int getNumRows() override { return names_.size(); }
    void paintListBoxItem (int row, juce::Graphics& g, int width, int height, bool is_selected) override;
    juce::String getNameForRow (int row) override { return names_[row]; }
    void listBoxItemDoubleClicked (int row, const juce::MouseEvent&) override { open (row); }
    void returnKeyPressed (int row) override { open (row); }
    void selectedRowsChanged (int) override;
    void open (int row);

    juce::StringArray names_;
    juce::String marked_;
    juce::String text_when_empty_;
    juce::ListBox list_{{}, this};
};

} // namespace bandmate::plugin
