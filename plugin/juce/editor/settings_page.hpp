// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

class Processor;

// Latency of this instance; server, folders and log of this machine.
class SettingsPage : public juce::Component
{
public:
    explicit SettingsPage (Processor& processor);

    void refresh();
    void read(); // the machine's settings, when the page is opened
    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    void choose_mode (int index);
    void apply_latency();
    void apply_server();
    void paint_terms (juce::Graphics& g, juce::Rectangle<int> area) const;
    juce::Rectangle<int> latency_area() const;
    juce::Rectangle<int> server_area() const;
    juce::Rectangle<int> folders_area() const;

    struct Folder
    {
        juce::String name;
        juce::File file;
        std::unique_ptr<juce::TextButton> open;
    };

    Processor& processor_;
    Segments mode_;
    juce::TextEditor milliseconds_;
    juce::TextEditor command_, address_, key_;
    std::unique_ptr<juce::TextButton> apply_;
    std::vector<Folder> folders_;
    juce::String message_;
    juce::String shown_terms_;
};

} // namespace bandmate::plugin
